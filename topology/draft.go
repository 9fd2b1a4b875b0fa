package topology

import (
	"net/netip"
	"slices"
)

// Draft is a set of changes that was tried on a State and found valid. The State
// is as if they were committed, until Undo.
type Draft struct {
	// Objects are the objects as they are now, one for each change; nil for a
	// deletion. They have no Revision yet, unless they did not change.
	Objects []Object
	// Edits are what really changed: removals first, what refers to others before
	// those, then the rest in the order of creation.
	Edits []Edit

	state *State
	env   Env
	steps []step
	undo  []func()
	// reserved are the external addresses of objects that are not put yet.
	reserved map[wishKey][]netip.Addr
}

// Edit is one object that a Draft changes. Before nil is a creation, After nil a
// removal.
type Edit struct {
	Key           Key
	Before, After Object
	// Outside says that the subnets of a network changed whose router is connected to
	// a gateway, so that it was checked against objects of other tenants.
	Outside bool
}

// step is one change under way.
type step struct {
	Change
	old, now Object
}

// Undo takes the changes back. Drafts on one State are undone newest first.
func (d *Draft) Undo() {
	for _, f := range slices.Backward(d.undo) {
		f()
	}
	d.undo = nil
}

// Try validates the changes as a whole, fills in what they leave to be chosen, and
// puts them into the State. Their order does not matter: only the state that they
// lead to must be right. On an error, which is one of the types of this package,
// the State is as before.
func (s *State) Try(changes []Change, env Env) (*Draft, error) {
	d := &Draft{state: s, env: env, steps: make([]step, len(changes))}
	for _, part := range []func() error{
		func() error { return d.prepare(changes, env) },
		d.clear,
		d.putTenantsAndHosts,
		d.putExternals,
		d.putNetworks,
		d.reserveAddresses,
		d.putGateways,
		d.putRouters,
		d.putEndpoints,
		d.putFloatingIPs,
		d.putServices,
		d.putFunctions,
		d.putChains,
		d.check,
	} {
		if err := part(); err != nil {
			d.Undo()
			return nil, err
		}
	}
	d.finish()
	return d, nil
}

// prepare checks each change by itself and makes the new object of each.
func (d *Draft) prepare(changes []Change, env Env) error {
	seen := make(map[Key]struct{}, len(changes))
	for i, ch := range changes {
		if ch.Op != OpDelete && ch.Object == nil {
			return invalid(ch.Key, "spec", "missing")
		}
		if ch.Key == (Key{}) && ch.Object != nil {
			ch.Key = ch.Object.Key()
		}
		if _, twice := seen[ch.Key]; twice {
			return invalid(ch.Key, "metadata.name", "the object is there twice; put it in once")
		}
		seen[ch.Key] = struct{}{}
		st := &d.steps[i]
		st.Change, st.old = ch, d.state.objects[ch.Key]
		if err := precondition(ch, st.old); err != nil {
			return err
		}
		if ch.Op == OpDelete {
			continue
		}
		if err := validateChange(ch); err != nil {
			return err
		}
		st.now = d.fresh(st, env)
	}
	return nil
}

func precondition(ch Change, old Object) error {
	if ch.IfRevision != nil && *ch.IfRevision == 0 && old != nil {
		return &ExistsError{Key: ch.Key}
	}
	if old == nil {
		if ch.Op == OpDelete || (ch.IfRevision != nil && *ch.IfRevision != 0) {
			return &NotFoundError{Key: ch.Key}
		}
		return nil
	}
	if now := old.Meta().Revision; ch.IfRevision != nil && *ch.IfRevision != now {
		return &StaleError{Key: ch.Key, Have: *ch.IfRevision, Now: now}
	}
	return nil
}

func validateChange(ch Change) error {
	if ch.Key.Kind.Order() < 0 {
		return invalid(ch.Key, "kind", "%s is no kind of object; kinds are %s", quoteShort(string(ch.Key.Kind)), kindList())
	}
	if ch.Op == OpRegister {
		h, ok := ch.Object.(*Host)
		if !ok || ch.Key.Kind != KindHost {
			return invalid(ch.Key, "kind", "only hosts register")
		}
		if err := validateMetadata(ch.Key, &Metadata{Name: ch.Key.Name}); err != nil {
			return err
		}
		return validateReport(ch.Key, &h.Allocated)
	}
	if have := ch.Object.Key(); have != ch.Key {
		return invalid(ch.Key, "metadata.name", "the object says that it is %s", have)
	}
	return Validate(ch.Object)
}

// fresh is the new object of a step, without what is allocated.
func (d *Draft) fresh(st *step, env Env) Object {
	o := st.Object.Clone()
	m := o.Meta()
	if h, ok := o.(*Host); ok {
		d.freshHost(st, h, env)
	}
	m.Revision, m.Created = 0, env.Now
	if st.old != nil {
		m.Created = st.old.Meta().Created
	}
	return o
}

func (d *Draft) freshHost(st *step, h *Host, env Env) {
	report := h.Allocated
	old, _ := st.old.(*Host)
	if st.Op == OpRegister {
		h.Metadata, h.Spec = Metadata{Name: st.Key.Name}, HostSpec{}
		if old != nil {
			h.Metadata, h.Spec = *clone(&old.Metadata), old.Spec
		}
	} else if report = (HostAllocation{}); old != nil {
		report = old.Allocated
	}
	h.Allocated, h.Allocated.ID = report, 0
	if old != nil {
		h.Allocated.DatapathID, h.Allocated.ID = old.Allocated.DatapathID, old.Allocated.ID
		return
	}
	h.Allocated.DatapathID = d.datapathID(env)
}

// datapathID chooses a number that no other host has, not even one that is new in
// the same set of changes.
func (d *Draft) datapathID(env Env) uint64 {
	for {
		id := env.Random() >> 1
		_, taken := d.state.datapaths[id]
		for i := range d.steps {
			h, ok := d.steps[i].now.(*Host)
			taken = taken || ok && h.Allocated.DatapathID == id
		}
		if id != 0 && !taken {
			return id
		}
	}
}

// clear takes the old objects out, so that what they hold can change hands within
// the set of changes. Their numbers do not: nobody is to get one that an object
// which is put again, later in the set, has already.
func (d *Draft) clear() error {
	for i := range d.steps {
		st := &d.steps[i]
		old := st.old
		if old == nil {
			continue
		}
		d.state.Remove(st.Key)
		d.undo = append(d.undo, func() { d.state.Put(old) })
		if st.now != nil {
			for _, n := range d.state.numbersOf(old) {
				d.takeNumber(n, st.Key)
			}
		}
	}
	return nil
}

// takeNumber takes a number for an object before the object is put.
func (d *Draft) takeNumber(n held, key Key) {
	n.pool.take(n.number, key)
	d.undo = append(d.undo, func() { n.pool.release(n.number, key) })
}

// put inserts the new object of a step, or the old one if nothing changed.
func (d *Draft) put(st *step) {
	if st.old != nil && same(st.old, st.now) {
		st.now = st.old
	}
	key := st.Key
	if st.old != nil {
		// What it had and has no more becomes free; what it has, Put takes again.
		for _, n := range d.state.numbersOf(st.old) {
			n.pool.release(n.number, key)
		}
	}
	d.state.Put(st.now)
	d.undo = append(d.undo, func() { d.state.Remove(key) })
}

// steps of one kind that put an object.
func (d *Draft) puts(kind Kind) []*step {
	var out []*step
	for i := range d.steps {
		if st := &d.steps[i]; st.now != nil && st.Key.Kind == kind {
			out = append(out, st)
		}
	}
	return out
}

// outside says whether a step is an Edit that is to say Outside.
func (d *Draft) outside(st *step) bool {
	n, old := asNetwork(st.now), asNetwork(st.old)
	if n == nil || old == nil || slices.Equal(n.Allocated.Subnets, old.Allocated.Subnets) {
		return false
	}
	r := d.state.routerOf(n)
	return r != nil && len(r.Allocated.Gateways) > 0
}

// finish lists what changed.
func (d *Draft) finish() {
	byKind := map[Kind][]Edit{}
	d.Objects = make([]Object, len(d.steps))
	for i, st := range d.steps {
		d.Objects[i] = st.now
		if st.now != st.old {
			byKind[st.Key.Kind] = append(byKind[st.Key.Kind], Edit{Key: st.Key, Before: st.old, After: st.now, Outside: d.outside(&st)})
		}
	}
	for _, k := range slices.Backward(kinds) {
		for _, e := range byKind[k.kind] {
			if e.After == nil {
				d.Edits = append(d.Edits, e)
			}
		}
	}
	for _, k := range kinds {
		for _, e := range byKind[k.kind] {
			if e.After != nil {
				d.Edits = append(d.Edits, e)
			}
		}
	}
	d.dropFunctions()
	d.steps = nil
}
