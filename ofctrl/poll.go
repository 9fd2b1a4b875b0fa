package ofctrl

import (
	"encoding/binary"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// poll looks at the number of flows of a switch that has no flow monitor. It is
// cheap, and sees that somebody added or deleted flows; what it does not see is
// left to the audit.
type poll struct {
	next time.Time // zero means never
	xid  uint32    // of the request; 0 means that none is outstanding
	// want is how many flows the switch should say it has, after sent modifications.
	want int
	sent uint64
	// off is by how many it was off last time. A comparison that found nothing
	// wrong need not be done again.
	off int
}

const pollInterval = 2 * time.Second

// multipartAggregate is the type of aggregate flow statistics (OpenFlow 1.3.5, A.3.5.3).
const multipartAggregate openflow.MultipartType = 2

func (p *poll) start(now time.Time) { *p = poll{next: now.Add(pollInterval)} }

// reset is for when the switch was compared.
func (p *poll) reset(now time.Time, repaired bool) {
	if p.next.IsZero() {
		return
	}
	p.next, p.xid = now.Add(pollInterval), 0
	if repaired {
		p.off = 0
	}
}

func (s *session) appendPoll(b []byte, now time.Time) []byte {
	p := &s.poll
	if p.next.IsZero() || now.Before(p.next) {
		return b
	}
	p.next = now.Add(pollInterval)
	want, ok := s.flowCount()
	if !ok || len(s.outstanding) > 0 {
		return b
	}
	p.want, p.sent, p.xid = want, s.plan.flowMods.Load(), s.xidsFor(1)
	msg := openflow.FlowStatsRequest()
	binary.BigEndian.PutUint16(msg[8:], uint16(multipartAggregate)) // same body
	return appendXID(b, msg, p.xid)
}

// flowCount is how many flows the switch should have, if that is certain.
func (s *session) flowCount() (n int, ok bool) {
	for f, sub := range s.subs {
		f.mu.Lock()
		n += f.flows
		ok := sub.pos == f.seq
		f.mu.Unlock()
		if !ok {
			return 0, false
		}
	}
	for id := range s.refused {
		if id.Kind == openflow.EntryFlow {
			n--
		}
	}
	return n, true
}

// onPoll handles the number of flows.
func (s *session) onPoll(xid uint32, part openflow.Multipart) {
	p := &s.poll
	if p.xid == 0 || xid != p.xid || part.Type != multipartAggregate || len(part.Body) < 20 {
		return
	}
	p.xid = 0
	off := int(binary.BigEndian.Uint32(part.Body[16:])) - p.want
	if p.sent == s.plan.flowMods.Load() && off != p.off {
		p.off = off
		s.suspect = true
		s.nudge()
	}
}
