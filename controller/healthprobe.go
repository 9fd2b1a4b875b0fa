package controller

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file asks instances of service functions whether they work. Each instance of a
// function that has a probe and is in a chain is asked at every interval, by its own
// host's switch, and is taken for dead after so many questions in a row without an answer.
//
// Silence says something about an instance only if its switch would have passed an answer
// on. So before a question counts as a failure, a packet goes to the switch that it sends
// straight back: when that has come, an answer would have come before it. A session that
// is dead and not yet known to be, or a controller that is slow, kills nobody.

const (
	// answerWithin is how long an answer may take at most.
	answerWithin = time.Second
	// roundTripAgain is when a packet that a switch has not sent back is repeated.
	roundTripAgain = time.Second
	// settleWithin is when an instance is looked at again whose switch is being told of it.
	settleWithin = 100 * time.Millisecond
	// maxQuestions are asked in one round of the loop.
	maxQuestions = 256
)

// health is what is known of an instance by asking it. Until it has failed it is alive.
type health struct {
	f      *function
	number int
	probe  topology.Probe // by which it is asked

	due   time.Time // when something is to be done
	place int       // in the queue
	token pipeline.Token
	asked *asked // the question that waits for its answers; nil for none

	failures int // in a row
	dead     bool
	since    time.Time // when it died, or came back
	why      string    // it is dead
}

// asked is a question that waits for its answers.
type asked struct {
	at   time.Time
	host *host
	// session is when the host's session before this one ended: another one may have
	// lost the answer.
	session   time.Time
	open      []pipeline.Question // without an answer
	ports     []uint32            // of the instance
	refused   string              // the question that was refused
	roundTrip uint64              // the id of the packet that the switch is to send back
}

// tendHealth has the instances of a function asked from now on as its probe says, or no
// more.
func (c *Controller) tendHealth(f *function) {
	p := f.spec.Spec.Probe
	want := map[int]bool{}
	if p != nil && len(f.chains) > 0 {
		for _, a := range f.spec.Allocated.Instances {
			want[a.Number] = true
		}
	}
	for n, s := range f.health {
		if !want[n] {
			c.endHealth(s)
		}
	}
	for n := range want {
		s := f.health[n]
		if s == nil {
			// A random start spreads the questions of many instances.
			first := c.now().Add(rand.N(p.Interval()))
			s = &health{f: f, number: n, probe: *p, due: first, since: c.now(), token: pipeline.Token{ID: uint16(rand.Uint32()), Seq: uint16(rand.Uint32())}}
			f.health[n] = s
			heap.Push(&c.questions, s)
		}
		if s.probe != *p {
			c.drop(s)
			s.probe, s.failures = *p, 0
			c.dueAt(s, c.now())
		}
	}
}

func (c *Controller) endHealth(s *health) {
	c.drop(s)
	heap.Remove(&c.questions, s.place)
	delete(s.f.health, s.number)
}

// drop forgets the question that an instance was asked.
func (c *Controller) drop(s *health) {
	if q := s.asked; q != nil {
		for _, port := range q.ports {
			if q.host.asked[port] == s {
				delete(q.host.asked, port)
			}
		}
		delete(c.roundTrips, q.roundTrip)
		s.asked = nil
	}
}

func (c *Controller) dueAt(s *health, t time.Time) {
	s.due = t
	heap.Fix(&c.questions, s.place)
}

// probedDead says whether an instance has not answered, since when that is known, and what
// it was asked. An instance that is not asked is alive.
func (c *Controller) probedDead(f *function, number int) (dead bool, since time.Time, why string) {
	if s := f.health[number]; s != nil && s.dead {
		return true, s.since, s.why
	}
	return false, time.Time{}, ""
}

// askInstances asks those whose turn it is, and returns when the next one's is; the zero
// time means never.
func (c *Controller) askInstances() (next time.Time) {
	now := c.now()
	for range maxQuestions {
		if len(c.questions) == 0 {
			return time.Time{}
		}
		s := c.questions[0]
		if s.due.After(now) {
			return s.due
		}
		c.dueAt(s, c.takeTurn(s, now))
	}
	return now
}

// takeTurn asks an instance, or looks after a question that has no answer yet; it returns
// when the instance has to be looked at again.
func (c *Controller) takeTurn(s *health, now time.Time) time.Time {
	h, i := c.askable(s.f, s.number)
	if q := s.asked; q != nil && (h != q.host || h.awaySince != q.session || !samePorts(i, q.ports)) {
		c.drop(s) // it cannot be answered any more, and says nothing
	}
	switch {
	case h == nil:
		return now.Add(s.probe.Interval())
	case s.asked != nil:
		c.sendRoundTrip(s)
		return now.Add(roundTripAgain)
	case s.f.unsettledOn(h):
		return now.Add(settleWithin) // its switch may not yet know an answer when it sees it
	}
	c.askInstance(s, h, i, now)
	if s.asked == nil {
		return now.Add(s.probe.Interval())
	}
	return now.Add(min(s.probe.Interval(), answerWithin))
}

// unsettledOn says whether a host's switch has not acknowledged all of the function yet, or
// has refused some.
func (f *function) unsettledOn(h *host) bool {
	for r := range f.refused {
		if r.host == h.key.Name {
			return true
		}
	}
	return f.needIn(h.feed) != nil
}

// askable is an instance on its host, if that can ask it now; nil if it cannot.
func (c *Controller) askable(f *function, number int) (*host, *pipeline.Instance) {
	in, out := c.arms(f, number)
	if in == nil || c.instanceProblem(in, out) != "" || !in.host.openflowUp {
		return nil, nil
	}
	return in.host, c.viewInstance(f, number)
}

func samePorts(i *pipeline.Instance, ports []uint32) bool {
	if i == nil || len(i.Arms) != len(ports) {
		return false
	}
	for n, a := range i.Arms {
		if a.OFPort != ports[n] {
			return false
		}
	}
	return true
}

// askInstance sends an instance the next question. If it cannot be sent, there is none.
func (c *Controller) askInstance(s *health, h *host, i *pipeline.Instance, now time.Time) {
	s.token.Seq++
	s.token.Number = rand.Uint32()
	list := pipeline.Questions(i, s.token)
	for _, q := range list {
		if !c.send(h.spec.Allocated.DatapathID, q.Frame, openflow.Output{Port: q.Port}) {
			return
		}
	}
	if len(list) == 0 {
		return
	}
	s.asked = &asked{at: now, host: h, session: h.awaySince, open: list}
	for _, a := range i.Arms {
		s.asked.ports = append(s.asked.ports, a.OFPort)
		h.asked[a.OFPort] = s
	}
}

// forAnInstance says whether a packet says something about an instance: an answer, or what
// a switch has sent straight back.
func forAnInstance(pkt openflow.PacketIn) bool {
	return pipeline.Reason(binary.BigEndian.Uint32(narrow(pkt, pipeline.RegReason))) == pipeline.ReasonAnswer ||
		binary.BigEndian.Uint32(narrow(pkt, openflow.InPort)) == openflow.PortController
}

// sendRoundTrip has the switch show that it would have passed an answer on.
func (c *Controller) sendRoundTrip(s *health) {
	q := s.asked
	delete(c.roundTrips, q.roundTrip)
	q.roundTrip = rand.Uint64()
	c.roundTrips[q.roundTrip] = s
	frame, actions := pipeline.RoundTrip(q.roundTrip)
	c.send(q.host.spec.Allocated.DatapathID, frame, actions...)
}

// roundTripReturned takes in what a switch has sent straight back; false if nobody waits
// for it.
func (c *Controller) roundTripReturned(h *host, id uint64) bool {
	s := c.roundTrips[id]
	if s == nil || s.asked.host != h {
		return false
	}
	c.failed(s)
	return true
}

// instanceAnswered takes in what an instance has answered. What nobody has asked for is
// dropped unread.
func (c *Controller) instanceAnswered(h *host, pkt openflow.PacketIn) {
	port := binary.BigEndian.Uint32(narrow(pkt, openflow.InPort))
	s := h.asked[port]
	if s == nil {
		return
	}
	q := s.asked
	for n := range q.open {
		answer, reset := q.open[n].Answer(port, pkt.Data)
		switch answer {
		case pipeline.NoAnswer:
			continue
		case pipeline.Refuses:
			q.refused = q.open[n].Text
		case pipeline.Works:
			if reset != nil {
				c.send(h.spec.Allocated.DatapathID, reset, openflow.Output{Port: q.open[n].Port})
			}
			q.open = append(q.open[:n:n], q.open[n+1:]...)
			if len(q.open) == 0 {
				c.answered(s)
			}
		}
		return
	}
}

// answered is when all questions to an instance have been: one time is enough.
func (c *Controller) answered(s *health) {
	next := s.asked.at.Add(s.probe.Interval())
	c.drop(s)
	c.dueAt(s, next)
	s.failures = 0
	if s.dead {
		s.dead, s.since, s.why = false, c.now(), ""
		c.functionDirty(s.f)
	}
}

// failed is when a question has no answer.
func (c *Controller) failed(s *health) {
	next, text, refused := s.asked.at.Add(s.probe.Interval()), s.asked.open[0].Text, s.asked.refused
	c.drop(s)
	c.dueAt(s, next)
	s.failures = min(s.failures+1, s.probe.Limit())
	if s.dead || s.failures < s.probe.Limit() {
		return
	}
	s.dead, s.since = true, c.now()
	s.why = fmt.Sprintf("%s has no answer, %d times in a row", text, s.failures)
	if refused != "" {
		s.why = refused + " is refused"
	}
	c.functionDirty(s.f)
}

// questions are the instances that are asked, as a heap: the one that is due first comes
// first. It implements heap.Interface.
type questions []*health

func (q questions) Len() int           { return len(q) }
func (q questions) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q questions) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *questions) Push(s any) {
	s.(*health).place = len(*q)
	*q = append(*q, s.(*health))
}

// Pop implements heap.Interface.
func (q *questions) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return s
}
