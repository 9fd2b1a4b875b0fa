package ofctrl

import (
	"context"
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// wanted is what a switch should have.
type wanted struct {
	items []item
	index map[openflow.ID]int32
	// changing are IDs that the switch may have or not.
	changing map[openflow.ID]struct{}
}

// item is an entry that a switch should have, and what it has of it.
type item struct {
	entry *openflow.Entry
	feed  *Feed
	owner string
	seq   uint64 // of the owner's last change
	right bool   // the switch has it
	wrong int    // how many others the switch has with this ID
}

// part is what a feed holds.
type part struct {
	feed     *Feed
	holdings []holding
}

// add takes in what feeds hold.
func (w *wanted) add(parts []part) {
	n := 0
	for _, p := range parts {
		for _, h := range p.holdings {
			n += len(h.entries)
		}
	}
	w.items = make([]item, 0, n)
	w.index = make(map[openflow.ID]int32, n)
	for _, p := range parts {
		for _, h := range p.holdings {
			for i := range h.entries {
				e := &h.entries[i]
				if _, ok := w.index[e.ID]; ok {
					continue
				}
				w.index[e.ID] = int32(len(w.items))
				w.items = append(w.items, item{entry: e, feed: p.feed, owner: h.owner, seq: h.seq})
			}
		}
	}
}

// difference is what a comparison finds.
type differences struct {
	missing, changed []*item
	foreign          []openflow.ID
	// mixed are IDs of flows that have the cookie of ours, but are not ours. They
	// cannot be deleted without ours.
	mixed map[openflow.ID]struct{}
}

func (d *differences) count() int { return len(d.missing) + len(d.changed) + len(d.foreign) }

// lacksWhatFlowsUse says whether a group or a meter is missing.
func (d *differences) lacksWhatFlowsUse() bool {
	return slices.ContainsFunc(d.missing, func(it *item) bool { return it.entry.ID.Kind != openflow.EntryFlow })
}

// against compares w with what the switch has. refused says what it will not have.
func (w *wanted) against(rows []row, refused map[openflow.ID]uint64) differences {
	var d differences
	var cookies map[openflow.ID]struct{} // made when there is a foreign flow
	for i := range rows {
		r := &rows[i]
		if at, ok := w.index[r.id]; ok {
			if it := &w.items[at]; it.entry.Sum == r.sum && !it.right {
				it.right = true
			} else {
				it.wrong++
			}
			continue
		}
		if _, ok := w.changing[r.id]; ok {
			continue
		}
		if r.id.Kind == openflow.EntryFlow {
			if cookies == nil {
				cookies = w.cookies()
			}
			if _, ours := cookies[anyPriority(r.id)]; ours {
				d.mix(anyPriority(r.id))
			}
		}
		d.foreign = append(d.foreign, r.id)
	}
	for i := range w.items {
		w.judge(&w.items[i], refused, &d)
	}
	return d
}

func (w *wanted) judge(it *item, refused map[openflow.ID]uint64, d *differences) {
	id := it.entry.ID
	if it.right && it.wrong == 0 {
		return
	}
	if _, ok := w.changing[id]; ok {
		return
	}
	if sum, ok := refused[id]; ok && sum == it.entry.Sum && it.wrong == 0 {
		return
	}
	switch {
	case it.wrong == 0:
		d.missing = append(d.missing, it)
	case id.Kind == openflow.EntryFlow && (it.right || it.wrong > 1):
		d.mix(anyPriority(id))
		d.foreign = append(d.foreign, id)
	default:
		d.changed = append(d.changed, it)
	}
}

func (d *differences) mix(id openflow.ID) {
	if d.mixed == nil {
		d.mixed = make(map[openflow.ID]struct{})
	}
	d.mixed[id] = struct{}{}
}

// anyPriority is what a flow is deleted by: table and cookie.
func anyPriority(id openflow.ID) openflow.ID {
	if id.Kind == openflow.EntryFlow {
		id.Priority = 0
	}
	return id
}

// cookies are the tables and cookies of all that is wanted or changing.
func (w *wanted) cookies() map[openflow.ID]struct{} {
	set := make(map[openflow.ID]struct{}, len(w.items))
	for id := range w.index {
		set[anyPriority(id)] = struct{}{}
	}
	for id := range w.changing {
		set[anyPriority(id)] = struct{}{}
	}
	return set
}

// repairs are the jobs that make the switch as wanted.
func (d *differences) repairs(w *wanted) []*job {
	var ops []op
	for _, it := range d.missing {
		ops = append(ops, addOp(opAdd, it.feed, it.owner, it.entry))
	}
	for _, it := range d.changed {
		ops = append(ops, addOp(opModify, it.feed, it.owner, it.entry))
	}
	deleted := make(map[openflow.ID]struct{})
	for _, id := range d.foreign {
		id = anyPriority(id)
		_, twice := deleted[id]
		if _, mixed := d.mixed[id]; !mixed && !twice {
			deleted[id] = struct{}{}
			ops = append(ops, op{kind: opDelete, id: id})
		}
	}
	jobs := []*job{{ops: inOrder(ops)}}
	if len(d.mixed) > 0 {
		jobs = append(jobs, w.unmix(d.mixed))
	}
	return jobs
}

// unmix deletes flows by table and cookie, and adds ours of them again, at once.
func (w *wanted) unmix(mixed map[openflow.ID]struct{}) *job {
	j := &job{atomic: true}
	for id := range mixed {
		if !w.changes(id) {
			j.ops = append(j.ops, op{kind: opDelete, id: id})
		}
	}
	for i := range w.items {
		it := &w.items[i]
		if id := anyPriority(it.entry.ID); hasID(mixed, id) && !w.changes(id) {
			j.ops = append(j.ops, addOp(opAdd, it.feed, it.owner, it.entry))
		}
	}
	return j
}

// changes says whether something with id's table and cookie is changing.
func (w *wanted) changes(id openflow.ID) bool {
	for c := range w.changing {
		if anyPriority(c) == id {
			return true
		}
	}
	return false
}

func hasID(set map[openflow.ID]struct{}, id openflow.ID) bool {
	_, ok := set[id]
	return ok
}

// finishCompare compares, and begins to repair.
func (s *session) finishCompare() error {
	// The switch is not silent while its turn has not come.
	s.deaf.Store(true)
	defer func() {
		s.heard.Store(time.Now().UnixNano())
		s.deaf.Store(false)
	}()
	select {
	case s.srv.comparing <- struct{}{}:
		defer func() { <-s.srv.comparing }()
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
	drift, n := s.compareNow(time.Now())
	for _, d := range drift {
		s.srv.metrics.drift.WithLabelValues(string(d.Kind)).Inc()
	}
	if len(drift) > 0 {
		s.srv.cfg.Handler.Drift(s.plan.dpid, drift)
	}
	if n > 0 {
		s.log.Info().Int("differences", n).Int("drift", len(drift)).Msg("putting the switch right")
	}
	return nil
}

func (s *session) compareNow(now time.Time) (drift []Drift, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.compare
	defer func() { s.endCompare(now, n > 0) }()
	if c.void {
		s.suspect = s.suspect || c.cause == causeForeign
		return nil, 0
	}
	var acks []ack
	w, explain, ok := s.want(&acks)
	if !ok {
		s.hold(causeBehind)
		return nil, 0
	}
	d := w.against(c.rows, s.refused)
	n = d.count()
	s.plan.compares.Add(1)
	s.plan.repairs.Add(uint64(n))
	s.srv.metrics.compares.WithLabelValues(c.cause).Inc()
	for kind, n := range map[DriftKind]int{DriftMissing: len(d.missing), DriftChanged: len(d.changed), DriftForeign: len(d.foreign)} {
		s.srv.metrics.repairs.WithLabelValues(string(kind)).Add(float64(n))
	}
	if n == 0 {
		s.confused = 0
	}
	if n > 0 || s.holding {
		repairs := d.repairs(w)
		last := repairs[len(repairs)-1]
		last.acks, last.compared = acks, s.holding
		s.jobs = append(s.jobs, repairs...)
	}
	// A flow with our cookie but a match of its own shows only when ours is there.
	s.suspect = s.suspect || len(d.changed) > 0
	if len(s.refused) > 0 && d.lacksWhatFlowsUse() {
		s.refused, s.suspect = nil, true // flows may have been refused for want of it
	}
	s.holding = false
	own := s.ownFault
	s.replayed, s.ownFault = false, false
	if own || c.cause == causeConnect && len(c.rows) == 0 {
		return nil, n // nobody did it: a switch that started anew has lost all by itself
	}
	return d.drift(explain), n
}

// want works out what the switch should have had when it was asked, and when the
// session is holding what it will have confirmed once it is like that.
func (s *session) want(acks *[]ack) (w *wanted, x explainer, ok bool) {
	w = &wanted{changing: s.compare.touched}
	if s.holding {
		return w, s.wantAll(w, acks), true
	}
	parts := make([]part, 0, len(s.subs))
	for f, sub := range s.subs {
		holdings, changes, ok := sub.peek()
		if !ok {
			return nil, x, false
		}
		parts = append(parts, part{f, holdings})
		if len(changes) > 0 {
			if w.changing == nil {
				w.changing = make(map[openflow.ID]struct{})
			}
			touched(w.changing, changes)
		}
	}
	w.add(parts)
	return w, explainer{always: true}, true
}

// wantAll moves to the plan and to the end of all feeds.
func (s *session) wantAll(w *wanted, acks *[]ack) explainer {
	x := s.explainer()
	if _, feeds, planned := s.inbox.take(); planned {
		for _, sub := range s.unfollowed(feeds) {
			s.leave(sub)
			x.same = false
		}
		for _, f := range feeds {
			if s.subs[f] == nil {
				s.subs[f], _ = follow(f, s.inbox.changed)
			}
		}
	}
	parts := make([]part, 0, len(s.subs))
	for f, sub := range s.subs {
		holdings, pos := sub.restart()
		parts = append(parts, part{f, holdings})
		*acks = append(*acks, ack{sub, pos})
		base, followed := x.base[f]
		x.same = x.same && followed && base == pos
	}
	w.add(parts)
	x.same = x.same && len(x.base) == len(s.subs)
	return x
}
