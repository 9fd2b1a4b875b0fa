package topology

import (
	"fmt"
	"slices"
)

// This file puts service functions and chains into the state, with the numbers by which
// hosts tell apart what is theirs.

func (d *Draft) putFunctions() error {
	for _, st := range d.puts(KindServiceFunction) {
		f := st.now.(*ServiceFunction)
		if err := d.tenantExists(st.Key); err != nil {
			return err
		}
		for i, e := range f.Endpoints() {
			if d.state.objects[e] == nil {
				return invalid(st.Key, fmt.Sprintf("spec.instances[%d].%s", i/2, [2]string{"in", "out"}[i%2]), "%s does not exist; create it first", e)
			}
		}
		old, _ := st.old.(*ServiceFunction)
		f.Allocated = ServiceFunctionAllocation{}
		if old != nil {
			f.Allocated.ID = old.Allocated.ID
		} else {
			var ok bool
			if f.Allocated.ID, ok = d.state.functionIDs.choose(1, MaxFunctionID+1, st.Key); !ok {
				return invalid(st.Key, "metadata.name", "all %d numbers of service functions are taken; delete one", MaxFunctionID)
			}
		}
		numberInstances(f, old)
		d.put(st)
	}
	return nil
}

// numberInstances gives instances their numbers. One that is gone may still be remembered
// by connections: so its number is not given to another one at once, if there are others.
func numberInstances(f, old *ServiceFunction) {
	before, used := map[string]int{}, map[int]bool{}
	notNow := map[int]bool{}
	if old != nil {
		for _, a := range old.Allocated.Instances {
			before[a.In], notNow[a.Number] = a.Number, true
		}
	}
	for _, in := range f.Spec.Instances {
		n := before[in.In]
		f.Allocated.Instances = append(f.Allocated.Instances, InstanceAllocation{in.In, n})
		used[n] = true
	}
	for i := range f.Allocated.Instances {
		a := &f.Allocated.Instances[i]
		if a.Number != 0 {
			continue
		}
		if a.Number = lowestInstance(notNow); a.Number == 0 {
			a.Number = lowestInstance(used)
		}
		used[a.Number], notNow[a.Number] = true, true
	}
}

// lowestInstance is the lowest number that is not taken, 0 if all are.
func lowestInstance(taken map[int]bool) int {
	for n := 1; n <= MaxInstances; n++ {
		if !taken[n] {
			return n
		}
	}
	return 0
}

func (d *Draft) putChains() error {
	steps := d.puts(KindChain)
	for _, st := range steps {
		old, _ := st.old.(*Chain)
		if err := d.allocateChain(st.now.(*Chain), old); err != nil {
			return err
		}
	}
	for _, choose := range []func(c, old *Chain) int{chosenPriority, d.state.oldPriority, d.state.newPriority} {
		for _, st := range steps {
			c := st.now.(*Chain)
			old, _ := st.old.(*Chain)
			if c.Allocated.Priority != 0 {
				continue
			}
			if c.Allocated.Priority = choose(c, old); c.Allocated.Priority != 0 {
				d.put(st)
			}
		}
	}
	for _, st := range steps {
		if st.now.(*Chain).Allocated.Priority == 0 {
			return invalid(st.Key, "spec.priority", "all %d priorities are taken; delete a chain", MaxPriority)
		}
	}
	return nil
}

// allocateChain checks what a chain refers to and chooses its numbers, but for the
// priority. They are taken at once, since a chain has several, and so has a set of changes.
func (d *Draft) allocateChain(c, old *Chain) error {
	key := c.Key()
	if err := d.tenantExists(key); err != nil {
		return err
	}
	if old != nil && old.Spec.Router != c.Spec.Router {
		return invalid(key, "spec.router", "%s; it cannot change, and it is %s: make another chain", c.Spec.Router, old.Spec.Router)
	}
	if d.state.objects[c.RouterKey()] == nil {
		return invalid(key, "spec.router", "%s does not exist; create it first", c.RouterKey())
	}
	c.Allocated = ChainAllocation{}
	if old != nil {
		c.Allocated.ID, c.Allocated.Zone = old.Allocated.ID, old.Allocated.Zone
	} else if err := d.numberChain(c); err != nil {
		return err
	}
	slots := map[int]bool{}
	for i, at := range c.FunctionKeys() {
		field := fmt.Sprintf("spec.functions[%d]", i)
		f, _ := d.state.objects[at].(*ServiceFunction)
		switch own := at.Tenant == key.Tenant; {
		case f == nil && own:
			return invalid(key, field, "%s does not exist; create it first", at)
		case f == nil || !f.sharedWith(key.Tenant):
			return invalid(key, field, "there is no %s that is shared with tenant %s; have its owner add %s to its sharedWith", at, key.Tenant, key.Tenant)
		}
		h := HopAllocation{Function: at.Tenant + "/" + at.Name, Slot: old.hop(at).Slot, VLAN: old.hop(at).VLAN}
		slots[h.Slot] = true
		if h.VLAN == 0 {
			vlan, _ := d.state.function(at).vlans.taken.next(1)
			if vlan > maxVLAN { // there are as many as chains, but those of the set hold old ones, too
				return invalid(key, field, "all %d VLANs of %s are taken; change fewer chains at once", maxVLAN, at)
			}
			h.VLAN = int(vlan)
			d.takeNumber(held{&d.state.function(at).vlans, vlan}, key)
		}
		c.Allocated.Hops = append(c.Allocated.Hops, h)
	}
	c.generate(old, slots)
	return nil
}

// generate makes the chain a new generation if it leads another way than before, and gives
// functions that are new in it slots: not those of functions that have just left it, which
// connections still remember. taken are the slots that others keep.
func (c *Chain) generate(old *Chain, taken map[int]bool) {
	if old != nil {
		c.Allocated.Generation = old.Allocated.Generation
		for _, h := range old.Allocated.Hops {
			taken[h.Slot] = true
		}
		if !slices.Equal(c.FunctionKeys(), old.FunctionKeys()) {
			c.Allocated.Generation++
		}
	}
	next := 1
	for i := range c.Allocated.Hops {
		h := &c.Allocated.Hops[i]
		if h.Slot != 0 {
			continue
		}
		for taken[next] {
			next++
		}
		h.Slot, taken[next] = next, true
	}
}

// numberChain chooses the number and the zone of a new chain.
func (d *Draft) numberChain(c *Chain) error {
	var ok bool
	if c.Allocated.ID, ok = d.state.newChainID(c.Key()); !ok {
		return invalid(c.Key(), "metadata.name", "all %d numbers of chains are taken; delete a chain", MaxChainID)
	}
	d.takeNumber(held{&d.state.chainIDs, c.Allocated.ID}, c.Key())
	if c.Allocated.Zone, ok = d.state.zones.choose(1, 1<<16, c.Key()); !ok {
		return invalid(c.Key(), "metadata.name", "all 65535 connection tracking zones are taken; delete another chain, or disconnect a router from its gateway")
	}
	d.takeNumber(held{&d.state.zones, c.Allocated.Zone}, c.Key())
	return nil
}

// newChainID chooses as pool.choose does, among the numbers in whose VNIs no network is: an
// earlier version gave such VNIs to networks.
func (s *State) newChainID(key Key) (uint32, bool) {
	start := uint32(hash64(string(key.Kind), key.Tenant, key.Name) % MaxChainID)
	for i := range uint32(MaxChainID) {
		id := 1 + (start+i)%MaxChainID
		if s.chainIDs.taken.has(id) {
			continue
		}
		first, last := chainVNIs(id)
		if !s.vnis.takenIn(first, last) {
			return id, true
		}
	}
	return 0, false
}

// The priorities that a chain may have, the first one that is not 0 counts.

func chosenPriority(c, _ *Chain) int { return c.Spec.Priority }

// oldPriority is what the chain had, unless another one has it now.
func (s *State) oldPriority(c, old *Chain) int {
	if old == nil {
		return 0
	}
	if _, taken := s.claims[c.priorityClaim(old.Allocated.Priority)]; taken {
		return 0
	}
	return old.Allocated.Priority
}

// newPriority is below those that are there if that is possible.
func (s *State) newPriority(c, _ *Chain) int {
	r := s.chainsOf[c.RouterKey()]
	if r == nil {
		return firstPriority
	}
	if lowest := r.priorities[0]; lowest > 1 {
		return lowest - 1
	}
	for p := MaxPriority; p > 0; p-- {
		if _, taken := s.claims[c.priorityClaim(p)]; !taken {
			return p
		}
	}
	return 0
}

// firstPriority is that of a router's first chain: there is room on both sides.
const firstPriority = 5000

func (c *Chain) priorityClaim(p int) claim {
	return claim{as: claimPriority, of: c.RouterKey(), port: p}
}
