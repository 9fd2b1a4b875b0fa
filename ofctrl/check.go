package ofctrl

import (
	"errors"
	"fmt"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Why a switch is compared with its plan.
const (
	causeConnect = "connect"
	causeBehind  = "behind" // a feed has forgotten changes that the switch lacks
	causeForeign = "foreign"
	causeAudit   = "audit"
)

// minPause is the least time between comparisons because of foreign changes.
const minPause = time.Second

var errSlowDump = errors.New("the switch took too long to tell what it has")

// checks say when to compare the switch with its plan. session.mu guards it.
type checks struct {
	// holding is set when the switch is compared before anything more is sent.
	holding bool
	cause   string // for holding
	compare *compare
	// suspect is set when somebody else has changed the switch.
	suspect   bool
	notBefore time.Time // for suspect
	nextAudit time.Time
	place     chan struct{} // Server.audits or .dumps, if it has a place there
	queued    time.Time     // since when it waits for a place, zero if it does not
	monitored bool          // the flow monitor was asked for
	monitor   uint32
	poll      poll
}

// compare is a comparison in progress: the switch was asked what it has.
type compare struct {
	cause             string
	started, deadline time.Time
	flows             uint32 // transaction ids
	groups, meters    uint32
	missing           int // dumps that are not complete
	rows              []row
	// touched are the entries that were changed after the dump was asked for.
	touched map[openflow.ID]struct{}
	void    bool // what comes is of no use
}

// row is an entry that the switch has.
type row struct {
	id  openflow.ID
	sum uint64
}

func (c *compare) touch(ops []op) {
	if c.touched == nil {
		c.touched = make(map[openflow.ID]struct{}, len(ops))
	}
	for i := range ops {
		c.touched[ops[i].id] = struct{}{}
	}
}

// hold stops the sending of changes until the switch was compared.
func (s *session) hold(cause string) {
	if !s.holding {
		s.holding, s.cause = true, cause
	}
	if s.compare != nil {
		s.compare.void = true
	}
}

// check begins a comparison if there is cause to. All that is to be sent was
// sent, so that the dump shows it.
func (s *session) check(b []byte, now time.Time) []byte {
	if s.compare != nil || len(s.jobs) > 0 || s.sending != nil {
		return b
	}
	switch {
	case s.holding:
		if s.queue(now) {
			return s.beginCompare(b, now, s.cause)
		}
		return b
	case s.suspect && !now.Before(s.notBefore):
		if s.queue(now) {
			return s.beginCompare(b, now, causeForeign)
		}
	case !now.Before(s.nextAudit):
		if s.take(s.srv.audits) {
			return s.beginCompare(b, now, causeAudit)
		}
		s.nextAudit = now.Add(jitter(s.srv.cfg.AuditInterval / 20))
	}
	return s.appendPoll(b, now)
}

// A session that waits for a place looks again after queuePause. Switches that
// keep their places and tell nothing make nobody wait for longer than
// queuePatience.
const (
	queuePause    = 20 * time.Millisecond
	queuePatience = 10 * time.Second
)

// queue takes a place for a comparison, or says that there is none yet.
func (s *session) queue(now time.Time) bool {
	if s.queued.IsZero() {
		s.queued = now
	}
	if !s.take(s.srv.dumps) && now.Sub(s.queued) < queuePatience {
		return false
	}
	s.queued = time.Time{}
	return true
}

func (s *session) take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		s.place = places
		return true
	default:
		return false
	}
}

// nextCheck is when check has to be called again.
func (s *session) nextCheck() time.Time {
	if s.compare != nil {
		return s.compare.deadline
	}
	next := s.nextAudit
	if !s.queued.IsZero() {
		next = time.Now().Add(jitter(queuePause))
	}
	if len(s.jobs) > 0 || s.sending != nil {
		return time.Now().Add(time.Minute) // later: a reply of the switch comes first
	}
	if s.suspect && s.notBefore.Before(next) {
		next = s.notBefore
	}
	if p := s.poll.next; !p.IsZero() && p.Before(next) {
		next = p
	}
	return next
}

func (s *session) beginCompare(b []byte, now time.Time, cause string) []byte {
	s.suspect = false
	if !s.monitored {
		// Before the first dump, so that no change is missed between the two.
		s.monitored = true
		s.monitor = s.xidsFor(1)
		b = appendXID(b, openflow.FlowMonitorRequest(1), s.monitor)
	}
	first := s.xidsFor(3)
	s.compare = &compare{
		cause: cause, started: now, deadline: now.Add(s.srv.cfg.limits.dump), rows: make([]row, 0, s.expected()),
		flows: first, groups: first + 1, meters: first + 2, missing: 3,
	}
	b = appendXID(b, openflow.FlowStatsRequest(), first)
	b = appendXID(b, openflow.GroupDescRequest(), first+1)
	return appendXID(b, openflow.MeterConfigRequest(), first+2)
}

// expected is about how many entries the switch has.
func (s *session) expected() (n int) {
	count := func(f *Feed) {
		f.mu.Lock()
		defer f.mu.Unlock()
		n += f.flows
	}
	for f := range s.subs {
		count(f)
	}
	for _, f := range s.inbox.next() {
		if s.subs[f] == nil {
			count(f)
		}
	}
	return n + n/16
}

// endCompare plans the next one.
func (s *session) endCompare(now time.Time, repaired bool) {
	took := now.Sub(s.compare.started)
	s.compare = nil
	s.leavePlace()
	s.nextAudit = now.Add(jitter(s.srv.cfg.AuditInterval))
	// A switch that is changed all the time must not be dumped all the time.
	s.notBefore = now.Add(max(minPause, 4*took))
	s.poll.reset(now, repaired)
	s.nudge()
}

func (s *session) leavePlace() {
	if s.place != nil {
		<-s.place
		s.place = nil
	}
}

// onDump takes a part of what the switch has. done says that it was the last.
func (s *session) onDump(xid uint32, part openflow.Multipart) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.compare
	switch {
	case c != nil && xid == c.flows && part.Type == openflow.MultipartFlow:
		err = c.addFlows(part.Body)
	case c != nil && xid == c.groups && part.Type == openflow.MultipartGroupDesc:
		err = c.add(openflow.DecodeGroupDescs(part.Body))
	case c != nil && xid == c.meters && part.Type == openflow.MultipartMeterConfig:
		err = c.add(openflow.DecodeMeterConfigs(part.Body))
	default:
		s.onPoll(xid, part)
		return false, nil
	}
	if err == nil && len(c.rows) > s.srv.cfg.limits.rows {
		err = fmt.Errorf("the switch has more than %d entries", s.srv.cfg.limits.rows)
	}
	if err != nil || part.More {
		return false, err
	}
	return c.complete(xid), nil
}

// complete notes that one of the dumps is complete, and says if all are.
func (c *compare) complete(xid uint32) bool {
	for _, x := range []*uint32{&c.flows, &c.groups, &c.meters} {
		if *x == xid {
			*x = 0
			c.missing--
		}
	}
	return c.missing == 0
}

func (c *compare) addFlows(body []byte) error {
	return openflow.EachFlowStat(body, func(s *openflow.FlowStat) {
		c.rows = append(c.rows, row{s.ID, s.Sum})
	})
}

// maxMeter is the highest meter that is not the switch's own.
const maxMeter = 0xffff0000

func (c *compare) add(stats []openflow.EntryStat, err error) error {
	for _, st := range stats {
		if st.ID.Kind != openflow.EntryMeter || st.ID.Number <= maxMeter {
			c.rows = append(c.rows, row{st.ID, st.Sum})
		}
	}
	return err
}

// checkRefused handles the refusal of a request that has to do with checks.
func (s *session) checkRefused(e *openflow.ErrorMsg) (known bool, err error) {
	c := s.compare
	switch {
	case s.monitor != 0 && e.XID == s.monitor:
		s.log.Info().Err(e).Msg("no flow monitor: foreign changes are found by polling")
		s.poll.start(time.Now())
	case s.poll.xid != 0 && e.XID == s.poll.xid:
		s.poll = poll{}
	case c != nil && c.flows != 0 && e.XID == c.flows:
		return true, fmt.Errorf("asking for flows: %w", e)
	case c != nil && (c.groups != 0 && e.XID == c.groups || c.meters != 0 && e.XID == c.meters):
		if c.complete(e.XID) {
			return true, errCompareNow
		}
	default:
		return false, nil
	}
	return true, nil
}

// errCompareNow says that the last dump was refused: the comparison is complete
// without.
var errCompareNow = errors.New("compare now")
