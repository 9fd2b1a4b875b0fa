package topology

import (
	"fmt"
	"maps"
	"slices"
)

// This file checks that chains lead between networks of their routers, and that those
// that pass one service function can be told apart there.

// checkChain checks a chain that was put.
func (s *State) checkChain(c *Chain) error {
	r, _ := s.objects[c.RouterKey()].(*Router)
	if r == nil {
		return nil // only if somebody tampered with the store
	}
	for _, part := range c.sides() {
		for i, side := range part.list {
			if side.Network != "" && !slices.Contains(r.Spec.Networks, side.Network) {
				return invalid(c.Key(), fmt.Sprintf("spec.%s[%d].network", part.name, i), "%s is no network of %s; name one that it joins", side.Network, r.Key())
			}
		}
	}
	for i, key := range c.FunctionKeys() {
		f, _ := s.objects[key].(*ServiceFunction)
		if f == nil || !s.crowded(f) {
			continue
		}
		if other := s.notBeside(f, c); other != (Key{}) {
			return conflict(c.Key(), fmt.Sprintf("spec.functions[%d]", i), other, "%s; use another service function, or have it tagged", notApart(f))
		}
	}
	return nil
}

type sides struct {
	name string // in the spec
	list []Side
}

func (c *Chain) sides() [2]sides {
	return [2]sides{{"sources", c.Spec.Sources}, {"destinations", c.Spec.Destinations}}
}

// checkSidesOf checks that a router still joins the networks that sides of its chains name.
func (s *State) checkSidesOf(r, old *Router) error {
	chains := s.chainsOf[r.Key()]
	if old == nil || chains == nil {
		return nil
	}
	lost := slices.DeleteFunc(slices.Clone(old.Spec.Networks), func(name string) bool { return slices.Contains(r.Spec.Networks, name) })
	if len(lost) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(chains.names)) {
		c, _ := s.objects[Key{KindChain, r.Metadata.Tenant, name}].(*Chain)
		if c == nil {
			continue // only if somebody tampered with the store
		}
		for _, part := range c.sides() {
			for _, side := range part.list {
				if slices.Contains(lost, side.Network) {
					return conflict(r.Key(), "spec.networks", c.Key(), "without network %s, which is among the chain's %s; change the chain first", side.Network, part.name)
				}
			}
		}
	}
	return nil
}

// checkUsers checks that the chains that use a function, which was put, still may, and can
// be told apart.
func (s *State) checkUsers(f *ServiceFunction) error {
	users := s.usersOf(f.Key())
	for _, key := range users {
		c, _ := s.objects[key].(*Chain)
		switch {
		case c == nil: // only if somebody tampered with the store
		case !f.sharedWith(key.Tenant):
			return conflict(f.Key(), "spec.sharedWith", key, "a chain of tenant %s uses it; change or delete the chain first", key.Tenant)
		}
	}
	if !s.crowded(f) {
		return nil
	}
	for _, key := range users {
		if c, _ := s.objects[key].(*Chain); c != nil {
			if other := s.notBeside(f, c); other != (Key{}) {
				return conflict(f.Key(), "spec.tagged", other, "%s, and %s uses it too; set tagged, or change one of the chains first", notApart(f), key)
			}
		}
	}
	return nil
}

// crowded says whether a function is in chains that it cannot tell apart. A tap need not,
// since what it sends is no chain's.
func (s *State) crowded(f *ServiceFunction) bool {
	idx := s.function(f.Key())
	switch {
	case f.Spec.Tagged || f.Spec.Type == FunctionTap:
		return false
	case f.Spec.Type == FunctionRewriting:
		return len(idx.chains) > 1
	}
	return len(idx.routers) > 1
}

// notBeside is the first chain that an untagged function cannot tell from c.
func (s *State) notBeside(f *ServiceFunction, c *Chain) Key {
	for _, key := range s.usersOf(f.Key()) {
		o, _ := s.objects[key].(*Chain)
		if o != nil && key != c.Key() && (f.Spec.Type == FunctionRewriting || o.RouterKey() != c.RouterKey()) {
			return key
		}
	}
	return Key{}
}

func notApart(f *ServiceFunction) string {
	if f.Spec.Type == FunctionRewriting {
		return fmt.Sprintf("%s rewrites packets and is not tagged, so that it can be in one chain only", f.Key())
	}
	return fmt.Sprintf("%s is not tagged, so that it can be in chains of one router only", f.Key())
}
