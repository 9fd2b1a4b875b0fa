package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Random changes of nothing but what has to do with chains, most of them valid by
// themselves: what is accepted holds together, in the indexes of a follower too.
func TestRandomChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, follower := NewState(), NewState()
		var changes []Change
		subnets := map[string]netip.Prefix{"x": netip.MustParsePrefix("10.0.0.0/24"), "z": netip.MustParsePrefix("10.0.1.0/24")}
		for _, tenant := range []string{"a", "b"} {
			changes = append(changes, Change{Object: &Tenant{Metadata: Metadata{Name: tenant}}})
			for _, name := range []string{"x", "z"} {
				meta := Metadata{Name: name, Tenant: tenant}
				changes = append(changes, Change{Object: &Network{Metadata: meta, Spec: NetworkSpec{Subnets: []Subnet{{CIDR: subnets[name]}}}}}, Change{Object: &Endpoint{Metadata: meta, Spec: EndpointSpec{Network: name}}},
					Change{Object: &Router{Metadata: meta, Spec: RouterSpec{Networks: []string{name}}}})
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "sets") {
			before := snapshot(s)
			d, err := s.Try(changes, testEnv)
			changes = rapid.SliceOfN(rapid.Custom(drawChained), 1, 4).Draw(t, "changes")
			if err == nil && rapid.IntRange(0, 4).Draw(t, "undo") == 0 {
				d.Undo()
				err = fmt.Errorf("undone")
			}
			if err != nil {
				if after := snapshot(s); after != before {
					t.Fatalf("%v: left a trace\n%s\nbefore:\n%s", err, after, before)
				}
				continue
			}
			for _, e := range d.Edits {
				if e.After != nil {
					e.After.Meta().Revision = 1
				}
			}
			follower.Apply(d.Edits)
			if a, b := snapshot(s), snapshot(follower); a != b {
				t.Fatalf("the edits lead elsewhere:\n%s\nwant:\n%s", b, a)
			}
			check(t, s)
		}
	})
}

// drawChained draws a service function, a chain, or what they refer to.
func drawChained(t *rapid.T) Change {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	some := func(label string, least, most int, of ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), least, most, rapid.ID).Draw(t, label)
	}
	meta := Metadata{Name: one("name", "x", "z"), Tenant: one("tenant", "a", "b")}
	var o Object
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		o = &Router{Metadata: meta, Spec: RouterSpec{Networks: some("networks", 0, 2, "x", "z")}}
	case 1:
		o = &Endpoint{Metadata: meta, Spec: EndpointSpec{Network: one("network", "x", "z")}}
	case 2, 3, 4:
		f := &ServiceFunction{Metadata: meta}
		f.Spec.Type = FunctionType(one("type", "transparent", "routed", "rewriting", "rewriting", "tap"))
		f.Spec.Tagged = rapid.Bool().Draw(t, "tagged")
		f.Spec.SharedWith = some("shared with", 0, 2, "a", "b")
		for _, e := range some("instances", 0, 2, "x", "z") {
			f.Spec.Instances = append(f.Spec.Instances, Instance{In: e})
		}
		if len(f.Spec.Instances) == 2 && f.Spec.Type != FunctionTap && rapid.Bool().Draw(t, "a pair") {
			f.Spec.Instances[0].Out, f.Spec.Instances = f.Spec.Instances[1].In, f.Spec.Instances[:1]
		}
		o = f
	default:
		meta.Name = one("chain", "p", "q", "r")
		c := &Chain{Metadata: meta, Spec: ChainSpec{Router: one("router", "x", "z")}}
		for _, name := range some("functions", 1, 2, "x", "z") {
			if at := one("of", meta.Tenant, "a", "b"); at != meta.Tenant || rapid.Bool().Draw(t, "spelled out") {
				name = at + "/" + name
			}
			c.Spec.Functions = append(c.Spec.Functions, name)
		}
		for _, n := range some("sources", 0, 1, "x", "z") {
			c.Spec.Sources = append(c.Spec.Sources, Side{Network: n})
		}
		c.Spec.Priority = rapid.SampledFrom([]int{0, 0, 0, 1, 2, 5000, MaxPriority}).Draw(t, "priority")
		o = c
	}
	if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
		return Change{Op: OpDelete, Key: o.Key()}
	}
	return Change{Object: o}
}

// checkChains checks, by comparing all with all, what State keeps indexes for.
func checkChains(t *rapid.T, s *State) {
	seen := map[string]Key{}
	once := func(holder Key, what ...any) {
		text := fmt.Sprintln(what...)
		if other, twice := seen[text]; twice {
			t.Fatalf("%s and %s both have %s", holder, other, text)
		}
		seen[text] = holder
	}
	within := func(holder Key, what string, n, most int) {
		if n < 1 || n > most {
			t.Fatalf("%s has the %s %d", holder, what, n)
		}
	}
	for _, o := range s.List(KindRouter, "") {
		for _, a := range o.(*Router).Allocated.Gateways {
			once(o.Key(), "zone", a.Zone)
		}
	}
	for _, o := range s.List(KindServiceFunction, "") {
		f := o.(*ServiceFunction)
		once(f.Key(), "function", f.Allocated.ID)
		within(f.Key(), "number", int(f.Allocated.ID), MaxFunctionID)
		for i, in := range f.Spec.Instances {
			a := f.Allocated.Instances[i]
			once(f.Key(), "number of", f.Key(), a.Number)
			within(f.Key(), "instance", a.Number, MaxInstances)
			for _, e := range slices.Compact([]string{in.In, in.Out}) {
				if e == "" {
					continue
				}
				once(f.Key(), "endpoint", f.Metadata.Tenant, e)
				if a.In != in.In || s.Get(Key{KindEndpoint, f.Metadata.Tenant, e}) == nil {
					t.Fatalf("%s: %+v of %+v", f.Key(), a, in)
				}
			}
		}
	}
	users := map[Key][]*Chain{}
	for _, o := range s.List(KindChain, "") {
		c := o.(*Chain)
		once(c.Key(), "chain", c.Allocated.ID)
		within(c.Key(), "number", int(c.Allocated.ID), MaxChainID)
		once(c.Key(), "zone", c.Allocated.Zone)
		once(c.Key(), "priority", c.RouterKey(), c.Allocated.Priority)
		within(c.Key(), "priority", c.Allocated.Priority, MaxPriority)
		for _, side := range append(c.Spec.Sources, c.Spec.Destinations...) {
			if r := s.Get(c.RouterKey()).(*Router); side.Network != "" && !slices.Contains(r.Spec.Networks, side.Network) {
				t.Fatalf("%s leads from %s, which is not of %s", c.Key(), side.Network, r.Key())
			}
		}
		for i, key := range c.FunctionKeys() {
			h := c.Allocated.Hops[i]
			f, _ := s.Get(key).(*ServiceFunction)
			if f == nil || h.Function != key.Tenant+"/"+key.Name || c.Metadata.Tenant != key.Tenant && !slices.Contains(f.Spec.SharedWith, c.Metadata.Tenant) {
				t.Fatalf("%s uses %s as %+v", c.Key(), key, h)
			}
			once(c.Key(), "VLAN", key, h.VLAN)
			within(c.Key(), "VLAN", h.VLAN, 4094)
			for _, o := range users[key] {
				if !f.Spec.Tagged && f.Spec.Type != FunctionTap && (f.Spec.Type == FunctionRewriting || o.RouterKey() != c.RouterKey()) {
					t.Fatalf("%s and %s are not told apart by %s", c.Key(), o.Key(), key)
				}
			}
			users[key] = append(users[key], c)
		}
	}
}
