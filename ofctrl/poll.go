package ofctrl

import (
	"encoding/binary"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// poll looks at the number of flows of a switch that has no flow monitor. It is
// cheap, and sees that somebody deleted flows; what it does not see is left to
// the audit.
type poll struct {
	next time.Time // zero means never
	xid  uint32    // of the request; 0 means that none is outstanding
	// flows is how many the switch had when it had been sent sent modifications;
	// known is false if that is not known.
	flows uint32
	sent  uint64
	known bool
	asked uint64 // value of sent at the request
}

const pollInterval = 2 * time.Second

// multipartAggregate is the type of aggregate flow statistics (OpenFlow 1.3.5, A.3.5.3).
const multipartAggregate openflow.MultipartType = 2

func (p *poll) start(now time.Time) { *p = poll{next: now.Add(pollInterval)} }

// reset forgets the count: the switch is about to be repaired.
func (p *poll) reset(now time.Time) {
	if !p.next.IsZero() {
		p.start(now)
	}
}

func (s *session) appendPoll(b []byte, now time.Time) []byte {
	if s.poll.next.IsZero() || now.Before(s.poll.next) || len(s.outstanding) > 0 {
		return b
	}
	s.poll.next = now.Add(pollInterval)
	s.poll.xid = s.xidsFor(1)
	s.poll.asked = s.plan.flowMods.Load()
	msg := openflow.FlowStatsRequest()
	binary.BigEndian.PutUint16(msg[8:], uint16(multipartAggregate)) // same body
	return appendXID(b, msg, s.poll.xid)
}

// onPoll handles the number of flows.
func (s *session) onPoll(xid uint32, part openflow.Multipart) {
	p := &s.poll
	if p.xid == 0 || xid != p.xid || part.Type != multipartAggregate || len(part.Body) < 20 {
		return
	}
	p.xid = 0
	flows := binary.BigEndian.Uint32(part.Body[16:])
	if p.known && p.sent == p.asked && p.flows != flows {
		s.suspect = true
		s.nudge()
	}
	p.flows, p.sent, p.known = flows, p.asked, true
}
