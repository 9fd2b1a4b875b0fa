package ofctrl

import (
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// sender turns changes into batches. session.mu guards it.
type sender struct {
	subs map[*Feed]*subscription
	// jobs wait to be sent; no changes are collected before that, so that what
	// a slow switch lacks is only in the feeds.
	jobs []*job
	// outstanding are the batches that were sent, in order, and not confirmed.
	outstanding []*batch
	sending     *batch // the last of them, if it is not yet sent in full
	sendPos     int    // its next op
	xid         uint32
	echoed      int64 // the value of heard for which an echo request was sent
	noBundles   bool  // the switch does not know them
}

// xidsFor reserves n transaction ids in a row, and returns the first.
func (s *sender) xidsFor(n uint32) uint32 {
	if s.xid+n >= maxXID {
		s.xid = 0
	}
	first := s.xid + 1
	s.xid += n
	return first
}

// nextBatch makes the next batch to be sent, if there is one.
func (s *session) nextBatch() bool {
	if len(s.jobs) == 0 && len(s.outstanding) < window {
		s.collect()
	}
	if len(s.jobs) == 0 || len(s.outstanding) >= window && s.jobs[0].replays == nil {
		return false
	}
	j := s.jobs[0]
	b := &batch{job: j.split()}
	if len(j.ops) == 0 {
		s.jobs = slices.Delete(s.jobs, 0, 1)
	}
	n := len(b.job.ops)
	b.first = s.xidsFor(xids(n))
	b.barrier = b.first + uint32(n) + 2
	if !b.job.plain && !s.noBundles && (n > maxPlain || j.atomic && n > 0) {
		b.bundle = b.first
	}
	s.outstanding = append(s.outstanding, b)
	s.sending, s.sendPos = b, 0
	return true
}

// bundleFlags make Open vSwitch apply a bundle at once: no packet sees a part.
const bundleFlags = openflow.BundleAtomic | openflow.BundleOrdered

// appendBatch appends messages of the batch that is being sent, about a chunk.
func (s *session) appendBatch(buf []byte, now time.Time) []byte {
	b := s.sending
	n := uint32(len(b.job.ops))
	if b.bundle != 0 && s.sendPos == 0 {
		buf = appendXID(buf, openflow.BundleOpen(b.bundle, bundleFlags), b.first+n)
	}
	for s.sendPos < int(n) && len(buf) < chunk {
		buf = s.appendOp(buf, b, s.sendPos)
		s.sendPos++
	}
	if s.sendPos < int(n) {
		return buf
	}
	if b.bundle != 0 {
		buf = appendXID(buf, openflow.BundleCommit(b.bundle, bundleFlags), b.first+n+1)
	}
	buf = appendXID(buf, openflow.BarrierRequest(), b.barrier)
	b.sent = now
	s.sending = nil
	return buf
}

func (s *session) appendOp(buf []byte, b *batch, i int) []byte {
	o := &b.job.ops[i]
	start := len(buf)
	if b.bundle == 0 {
		buf = append(buf, o.message()...)
	} else {
		buf = openflow.AppendBundleAdd(buf, b.bundle, bundleFlags, o.message())
	}
	openflow.SetXID(buf[start:], b.first+uint32(i))
	s.srv.metrics.mods[o.kind].Inc()
	s.plan.flowMods.Add(1)
	if o.kind == opDelete {
		s.plan.deletes.Add(1)
	}
	return buf
}

func appendXID(buf, msg []byte, xid uint32) []byte {
	openflow.SetXID(msg, xid)
	return append(buf, msg...)
}

// enqueue adds a job behind the others.
func (s *session) enqueue(j *job) {
	if s.compare != nil {
		s.compare.touch(j.ops)
	}
	s.jobs = append(s.jobs, j)
}

// collect makes a job of what the feeds and the plan have new.
func (s *session) collect() {
	if s.holding {
		return // the comparison takes all that there is
	}
	dirty, feeds, planned := s.inbox.take()
	if len(dirty) == 0 && !planned {
		return
	}
	j := &job{}
	m := merger{}
	if planned {
		s.replan(feeds, &m, j)
	}
	for _, sub := range dirty {
		if s.subs[sub.feed] == sub {
			s.catchUp(sub, &m, j)
		}
	}
	if j.ops = m.result(); len(j.ops)+len(j.acks) > 0 {
		s.enqueue(j)
	}
}

// catchUp takes a feed's changes into m.
func (s *session) catchUp(sub *subscription, m *merger, j *job) {
	changes, pos, ok := sub.next()
	if !ok {
		s.hold(causeBehind)
		return
	}
	if len(changes) == 0 {
		return
	}
	for i := range changes {
		s.forgive(sub.feed, &changes[i])
		m.change(sub.feed, &changes[i])
	}
	j.acks = append(j.acks, ack{sub, pos})
}

// replan follows and leaves feeds until they are those of the plan.
func (s *session) replan(feeds []*Feed, m *merger, j *job) {
	gone := s.unfollowed(feeds)
	for _, f := range feeds {
		if s.subs[f] != nil {
			continue
		}
		sub, holdings := follow(f, s.inbox.changed)
		s.subs[f] = sub
		m.all(f, holdings)
		j.acks = append(j.acks, ack{sub, sub.pos})
	}
	for _, sub := range gone {
		holdings, changes, ok := sub.peek()
		if !ok {
			s.hold(causeBehind)
		}
		m.gone(sub.feed, had(holdings, changes))
		s.forgiveFeed(sub.feed)
		s.leave(sub)
	}
}

// unfollowed are the subscriptions to feeds that are not among feeds.
func (s *session) unfollowed(feeds []*Feed) []*subscription {
	keep := make(map[*Feed]struct{}, len(feeds))
	for _, f := range feeds {
		keep[f] = struct{}{}
	}
	var gone []*subscription
	for f, sub := range s.subs {
		if _, ok := keep[f]; !ok {
			gone = append(gone, sub)
		}
	}
	return gone
}

func (s *session) leave(sub *subscription) {
	delete(s.subs, sub.feed)
	s.acked.drop(sub.feed)
	sub.leave()
}

// confirm handles a barrier reply. It says whether an acknowledged cursor moved.
func (s *session) confirm(xid uint32) (moved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.outstanding, func(b *batch) bool { return b.barrier == xid })
	if i < 0 || s.outstanding[i] == s.sending || s.outstanding[i].done {
		return false
	}
	b := s.outstanding[i]
	b.done = true
	s.srv.metrics.barrier.Observe(time.Since(b.sent).Seconds())
	if b.job.replays != nil {
		b.job.replays.waiting = false
	}
	if b.failed || len(b.opErrors) > 0 {
		s.replay(i)
	}
	for len(s.outstanding) > 0 && s.outstanding[0].done && !s.outstanding[0].waiting {
		b := s.outstanding[0]
		s.outstanding = slices.Delete(s.outstanding, 0, 1)
		moved = s.finish(b) || moved
	}
	s.nudge()
	return moved
}

// finish does what a batch was to mean.
func (s *session) finish(b *batch) (moved bool) {
	for _, a := range b.job.acks {
		if s.subs[a.sub.feed] == a.sub {
			s.acked.set(a.sub.feed, a.seq)
			moved = true
		}
	}
	if b.job.compared {
		s.acked.setCompared()
		moved = true
	}
	return moved
}
