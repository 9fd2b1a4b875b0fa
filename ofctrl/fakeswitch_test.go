package ofctrl

import (
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// fakeSwitch keeps the tables that a switch would have, and says what is wrong
// with the order in which they were sent.
type fakeSwitch struct {
	dpid uint64
	// refuse says which flows the switch does not take.
	refuse func(openflow.ID) bool
	// surprises are no problem: a group that was in a refused bundle is not there
	// when the next message, which is on its way already, modifies it.
	surprises bool
	// packets is what each flow says to have counted; mute that it says nothing.
	packets uint64
	mute    bool

	mu       sync.Mutex
	flows    map[string]openflow.FlowMod // by table, priority and match
	others   map[openflow.ID]openflow.EntryMod
	conn     net.Conn
	problems []string
	deleted  bool // since the last barrier
}

func newFakeSwitch(dpid uint64) *fakeSwitch {
	return &fakeSwitch{dpid: dpid, flows: map[string]openflow.FlowMod{}, others: map[openflow.ID]openflow.EntryMod{}}
}

// connect runs a session with the server at addr until it ends.
func (f *fakeSwitch) connect(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	f.mu.Lock()
	f.conn, f.deleted = conn, false
	f.mu.Unlock()
	s := fakeSession{fakeSwitch: f, w: conn, bundles: map[uint32][]openflow.Message{}}
	s.reply(0, openflow.Hello())
	in := openflow.NewReader(conn)
	for {
		m, err := in.Next()
		if err != nil {
			return err
		}
		s.handle(m)
	}
}

func (f *fakeSwitch) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn != nil {
		f.conn.Close()
	}
}

// state is what the switch has, by ID.
func (f *fakeSwitch) state() map[openflow.ID]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := map[openflow.ID]uint64{}
	for _, m := range f.flows {
		st[m.ID] = m.Sum
	}
	for id, m := range f.others {
		st[id] = m.Sum
	}
	return st
}

func (f *fakeSwitch) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

func (f *fakeSwitch) surprise(format string, args ...any) {
	if !f.surprises {
		f.problem(format, args...)
	}
}

type fakeSession struct {
	*fakeSwitch
	w       io.Writer
	bundles map[uint32][]openflow.Message
}

func (s *fakeSession) reply(xid uint32, msg []byte) {
	openflow.SetXID(msg, xid)
	_, _ = s.w.Write(msg)
}

func (s *fakeSession) error(m openflow.Message, t, code uint16) {
	e := openflow.ErrorMsg{Type: t, Code: code}
	s.reply(m.XID, e.Message())
}

func (s *fakeSession) handle(m openflow.Message) {
	if m.Type == openflow.TypeBarrierRequest {
		s.mu.Lock()
		s.deleted = false
		s.mu.Unlock()
	}
	if answer := (openflow.Features{DatapathID: s.dpid, Tables: 254}).Answer(m); answer != nil {
		_, _ = s.w.Write(answer)
		return
	}
	switch m.Type {
	case openflow.TypeMultipartRequest:
		s.multipart(m)
	case openflow.TypeExperimenter:
		s.bundle(m)
	case openflow.TypeFlowMod, openflow.TypeGroupMod, openflow.TypeMeterMod:
		s.mu.Lock()
		defer s.mu.Unlock()
		if t, code := s.apply(m); t != 0 {
			s.error(m, t, code)
		}
	}
}

func (s *fakeSession) bundle(m openflow.Message) {
	if id, _, inner, ok := openflow.DecodeBundleAdd(m); ok {
		if inner.Type == openflow.TypeMeterMod {
			s.error(m, 1, 2)
			return
		}
		inner.Body = append([]byte(nil), inner.Body...)
		s.bundles[id] = append(s.bundles[id], inner)
		return
	}
	if c, ok := openflow.DecodeBundleControl(m); ok && c.Type == openflow.BundleCommitRequest {
		s.commit(m, c)
	}
}

// commit applies all of a bundle or nothing.
func (s *fakeSession) commit(m openflow.Message, c openflow.BundleControl) {
	s.mu.Lock()
	defer s.mu.Unlock()
	flows, others := maps.Clone(s.flows), maps.Clone(s.others)
	for _, inner := range s.bundles[c.ID] {
		if t, code := s.apply(inner); t != 0 {
			s.flows, s.others = flows, others
			s.error(inner, t, code)
			s.error(m, 17, 1)
			break
		}
	}
	delete(s.bundles, c.ID)
	c.Type = openflow.BundleCommitReply
	s.reply(m.XID, c.Message())
}

// apply needs mu. It returns an error's type and code, or zero.
func (s *fakeSession) apply(m openflow.Message) (t, code uint16) {
	if m.Type != openflow.TypeFlowMod {
		return s.applyOther(m)
	}
	mod, err := openflow.DecodeFlowMod(m)
	if err != nil {
		s.problem("%v", err)
		return 1, 6
	}
	if mod.Command == openflow.FlowAdd {
		if s.deleted {
			s.problem("table %d cookie %#x: added after a delete", mod.ID.Table, mod.ID.Cookie)
		}
		if s.refuse != nil && s.refuse(mod.ID) {
			return 5, 1
		}
		mod.Match, mod.Instructions = append([]byte(nil), mod.Match...), append([]byte(nil), mod.Instructions...)
		s.flows[fmt.Sprint(mod.ID.Table, mod.ID.Priority, mod.Match)] = mod
		return 0, 0
	}
	s.deleted = true
	for k, had := range s.flows {
		if had.ID.Table == mod.ID.Table && had.ID.Cookie&mod.CookieMask == mod.ID.Cookie&mod.CookieMask {
			delete(s.flows, k)
		}
	}
	return 0, 0
}

func (s *fakeSession) applyOther(m openflow.Message) (t, code uint16) {
	mod, err := openflow.DecodeGroupMod(m)
	failed := uint16(6)
	if m.Type == openflow.TypeMeterMod {
		mod, err = openflow.DecodeMeterMod(m)
		failed = 12
	}
	if err != nil {
		s.problem("%v", err)
		return 1, 6
	}
	_, exists := s.others[mod.ID]
	switch {
	case mod.Command == 0 && exists:
		s.surprise("%+v is added again", mod.ID)
		return failed, failed / 12
	case mod.Command == 1 && !exists:
		s.surprise("%+v is modified and not there", mod.ID)
		return failed, 8 - 5*(failed/12)
	case mod.Command == 2:
		delete(s.others, mod.ID)
		return 0, 0
	}
	mod.Body = append([]byte(nil), mod.Body...)
	s.others[mod.ID] = mod
	return 0, 0
}

func (s *fakeSession) multipart(m openflow.Message) {
	req, err := openflow.DecodeMultipart(m)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts [][]byte
	part := []byte{}
	add := func(b []byte) {
		if len(part)+len(b) > 1000 {
			parts = append(parts, part)
			part = []byte{}
		}
		part = append(part, b...)
	}
	switch req.Type {
	case openflow.MultipartFlow:
		query, err := openflow.DecodeFlowQuery(req.Body)
		if err != nil {
			s.problem("%v", err)
		}
		if query.CookieMask != 0 && s.mute { // not a dump, but somebody asks
			return
		}
		for _, f := range s.flows {
			if query.Selects(f.ID) {
				stat := openflow.FlowStat{ID: f.ID, Match: f.Match, Instructions: f.Instructions}
				stat.Packets, stat.Bytes = s.packets, 100*s.packets
				add(openflow.AppendFlowStat(nil, stat))
			}
		}
	case openflow.MultipartGroupDesc, openflow.MultipartMeterConfig:
		for id, o := range s.others {
			if (id.Kind == openflow.EntryGroup) == (req.Type == openflow.MultipartGroupDesc) {
				add(o.AppendDesc(nil))
			}
		}
	case multipartAggregate:
		part = make([]byte, 24)
		part[18], part[19] = byte(len(s.flows)>>8), byte(len(s.flows))
	default:
		s.error(m, 1, 2)
		return
	}
	for _, p := range parts {
		s.reply(m.XID, openflow.MultipartReply(req.Type, true, p))
	}
	s.reply(m.XID, openflow.MultipartReply(req.Type, false, part))
}

// run connects the switch again and again until stop is called.
func (f *fakeSwitch) run(addr string) (stop func()) {
	var stopped atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stopped.Load() {
			_ = f.connect(addr)
		}
	}()
	return func() {
		stopped.Store(true)
		for {
			f.cut()
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond): // it may just be connecting
			}
		}
	}
}
