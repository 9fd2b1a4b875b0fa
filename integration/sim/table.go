package sim

import (
	"bytes"
	"hash/maphash"
	"sync"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// flow is a flow as many switches have it: equal ones are stored once. It never
// changes.
type flow struct {
	id                  openflow.ID
	sum                 uint64
	match, instructions []byte
}

// pool stores flows once. It is safe for concurrent use, and forgets nothing: it
// lives as long as a fleet.
type pool struct {
	seed   maphash.Seed
	shards [64]struct {
		mu    sync.Mutex
		flows map[poolKey]*flow
	}
}

type poolKey struct {
	id  openflow.ID
	sum uint64
}

func newPool() *pool { return &pool{seed: maphash.MakeSeed()} }

// intern returns the flow of a flow-mod, whose bytes it copies.
func (p *pool) intern(m *openflow.FlowMod) *flow {
	k := poolKey{m.ID, m.Sum}
	s := &p.shards[m.Sum%uint64(len(p.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flows[k]; f != nil {
		return f
	}
	f := &flow{id: m.ID, sum: m.Sum, match: bytes.Clone(m.Match), instructions: bytes.Clone(m.Instructions)}
	if s.flows == nil {
		s.flows = make(map[poolKey]*flow)
	}
	s.flows[k] = f
	return f
}

// place is what a switch can have one flow of: the digest of table, priority and
// match.
func (p *pool) place(m *openflow.FlowMod) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	_, _ = h.Write([]byte{m.ID.Table, byte(m.ID.Priority >> 8), byte(m.ID.Priority)})
	_, _ = h.Write(m.Match)
	return h.Sum64()
}

// tables are the flows, groups and meters of a switch. They are not safe for
// concurrent use.
type tables struct {
	pool  *pool
	flows map[uint64]*flow // by place
	// cookies has a place for each cookie, and more those that did not fit.
	cookies map[uint64]uint64
	more    map[uint64][]uint64
	others  map[openflow.ID]openflow.EntryMod
}

func newTables(p *pool) *tables {
	return &tables{
		pool: p, flows: make(map[uint64]*flow), cookies: make(map[uint64]uint64), more: make(map[uint64][]uint64),
		others: make(map[openflow.ID]openflow.EntryMod),
	}
}

// Errors of Open vSwitch (OpenFlow 1.3.5, A.4.4), by type and code.
type ofError struct{ typ, code uint16 }

var (
	errBadRequest   = ofError{1, 6} // bad length
	errUnsupported  = ofError{1, 2} // bad multipart, or a type that is not simulated
	errGroupExists  = ofError{6, 0}
	errGroupUnknown = ofError{6, 8}
	errMeterExists  = ofError{12, 1}
	errMeterUnknown = ofError{12, 3}
	errBundleFailed = ofError{17, 1}
)

// apply carries out a flow-mod, group-mod or meter-mod.
func (t *tables) apply(m openflow.Message) (undo func(), refused ofError) {
	switch m.Type {
	case openflow.TypeFlowMod:
		mod, err := openflow.DecodeFlowMod(m)
		if err != nil {
			return nil, errBadRequest
		}
		if mod.Command == openflow.FlowAdd {
			return t.add(&mod), ofError{}
		}
		return t.remove(mod), ofError{}
	case openflow.TypeGroupMod:
		mod, err := openflow.DecodeGroupMod(m)
		if err != nil {
			return nil, errBadRequest
		}
		return t.other(mod, errGroupExists, errGroupUnknown)
	case openflow.TypeMeterMod:
		mod, err := openflow.DecodeMeterMod(m)
		if err != nil {
			return nil, errBadRequest
		}
		return t.other(mod, errMeterExists, errMeterUnknown)
	}
	return nil, errUnsupported
}

func (t *tables) add(m *openflow.FlowMod) (undo func()) {
	place, f := t.pool.place(m), t.pool.intern(m)
	old := t.flows[place]
	t.replace(place, old, f)
	return func() { t.replace(place, f, old) }
}

// replace has f in the place of old; either may be nil.
func (t *tables) replace(place uint64, old, f *flow) {
	if old != nil {
		t.unindex(old.id.Cookie, place)
	}
	if f == nil {
		delete(t.flows, place)
		return
	}
	t.flows[place] = f
	if _, taken := t.cookies[f.id.Cookie]; taken {
		t.more[f.id.Cookie] = append(t.more[f.id.Cookie], place)
	} else {
		t.cookies[f.id.Cookie] = place
	}
}

func (t *tables) unindex(cookie, place uint64) {
	rest := t.more[cookie]
	if t.cookies[cookie] == place {
		delete(t.cookies, cookie)
		if len(rest) == 0 {
			return
		}
		t.cookies[cookie], rest = rest[0], rest[1:]
	} else {
		kept := rest[:0:0]
		for _, p := range rest {
			if p != place {
				kept = append(kept, p)
			}
		}
		rest = kept
	}
	if len(rest) == 0 {
		delete(t.more, cookie)
	} else {
		t.more[cookie] = rest
	}
}

const allBits = ^uint64(0)

// remove deletes flows by cookie and table, the one way that the controller uses.
func (t *tables) remove(m openflow.FlowMod) (undo func()) {
	places := make([]uint64, 0, 1)
	if m.CookieMask == allBits {
		if p, ok := t.cookies[m.ID.Cookie]; ok {
			places = append(append(places, p), t.more[m.ID.Cookie]...)
		}
	} else {
		for p, f := range t.flows {
			if (f.id.Cookie^m.ID.Cookie)&m.CookieMask == 0 {
				places = append(places, p)
			}
		}
	}
	gone := make(map[uint64]*flow)
	for _, p := range places {
		f := t.flows[p]
		if f.id.Table == m.ID.Table || m.ID.Table == allTables {
			gone[p] = f
			t.replace(p, f, nil)
		}
	}
	return func() {
		for p, f := range gone {
			t.replace(p, t.flows[p], f)
		}
	}
}

const allTables = 0xff

// Commands of a group-mod or meter-mod.
const (
	otherAdd uint16 = iota
	otherModify
	otherDelete
)

func (t *tables) other(m openflow.EntryMod, exists, unknown ofError) (undo func(), refused ofError) {
	old, have := t.others[m.ID]
	undo = func() {
		if have {
			t.others[m.ID] = old
		} else {
			delete(t.others, m.ID)
		}
	}
	switch {
	case m.Command == otherAdd && have:
		return nil, exists
	case m.Command == otherModify && !have:
		return nil, unknown
	case m.Command == otherDelete:
		delete(t.others, m.ID)
		return undo, ofError{}
	}
	m.Body = bytes.Clone(m.Body)
	t.others[m.ID] = m
	return undo, ofError{}
}

// state is every entry, with its Sum.
func (t *tables) state() map[openflow.ID]uint64 {
	all := make(map[openflow.ID]uint64, len(t.flows)+len(t.others))
	for _, f := range t.flows {
		all[f.id] = f.sum
	}
	for id, m := range t.others {
		all[id] = m.Sum
	}
	return all
}
