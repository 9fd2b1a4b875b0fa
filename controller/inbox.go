package controller

import "sync"

// inbox collects what handlers report until the loop takes it in. Reports of
// acknowledgements are merged, so that its size is bounded by the sessions that
// there are; packets are bounded by number.
type inbox struct {
	mu      sync.Mutex
	work    []func()
	packets int
	acked   map[uint64]bool
	ackedBy func(dpid uint64)
	wake    chan struct{}
}

// maxPackets is how many packets of switches wait at most; more are dropped, as a
// router that is overloaded does.
const maxPackets = 1024

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
func (b *inbox) postPacket(f func()) {
	b.mu.Lock()
	if b.packets >= maxPackets {
		b.mu.Unlock()
		return
	}
	b.packets++
	b.work = append(b.work, func() {
		b.mu.Lock()
		b.packets--
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
