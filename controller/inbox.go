package controller

import "sync"

// inbox collects what handlers report until the loop takes it in. Reports of
// acknowledgements are merged, so that its size is bounded by the sessions that
// there are; packets are bounded by number. Answers of instances of functions have a
// bound of their own: what tenants and neighbours outside send must not make them look
// dead, nor they crowd out anything.
type inbox struct {
	mu      sync.Mutex
	work    []func()
	packets int
	answers int
	acked   map[uint64]bool
	ackedBy func(dpid uint64)
	wake    chan struct{}
}

// maxPackets is how many packets of switches wait at most; more are dropped, as a
// router that is overloaded does.
const (
	maxPackets = 1024
	maxAnswers = 4096
)

func newInbox() inbox {
	return inbox{acked: map[uint64]bool{}, wake: make(chan struct{}, 1)}
}

// post hands f to the loop, which runs it with the model locked.
func (b *inbox) post(f func()) {
	b.mu.Lock()
	b.work = append(b.work, f)
	b.mu.Unlock()
	b.nudge()
}

// postPacket is post for work that may be dropped.
func (b *inbox) postPacket(f func()) { b.postUpTo(maxPackets, &b.packets, f) }

// postAnswer is postPacket for what instances of functions answer.
func (b *inbox) postAnswer(f func()) { b.postUpTo(maxAnswers, &b.answers, f) }

// postUpTo posts f unless as many wait already, of which waiting is the count.
func (b *inbox) postUpTo(limit int, waiting *int, f func()) {
	b.mu.Lock()
	if *waiting >= limit {
		b.mu.Unlock()
		return
	}
	*waiting++
	b.work = append(b.work, func() {
		b.mu.Lock()
		*waiting--
		b.mu.Unlock()
		f()
	})
	b.mu.Unlock()
	b.nudge()
}

// postAck says that acknowledgements of a switch moved.
func (b *inbox) postAck(dpid uint64) {
	b.mu.Lock()
	b.acked[dpid] = true
	b.mu.Unlock()
	b.nudge()
}

func (b *inbox) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run does what was posted.
func (b *inbox) run() {
	b.mu.Lock()
	work, acked := b.work, b.acked
	b.work, b.acked = nil, map[uint64]bool{}
	b.mu.Unlock()
	for _, f := range work {
		f()
	}
	for dpid := range acked {
		b.ackedBy(dpid)
	}
}
