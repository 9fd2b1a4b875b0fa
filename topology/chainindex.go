package topology

import (
	"maps"
	"slices"
)

// functionIndex is what is known of one service function by way of the chains that
// refer to it. It can outlive the function for a moment, inside a change set.
type functionIndex struct {
	chains  map[Key]struct{}
	routers map[Key]int // of the chains, to how many of them
	vlans   pool
}

// routerChains are the chains of one router.
type routerChains struct {
	names      map[string]struct{}
	priorities []int // sorted
}

func (s *State) function(key Key) *functionIndex {
	f := s.functions[key]
	if f == nil {
		f = &functionIndex{chains: map[Key]struct{}{}, routers: map[Key]int{}, vlans: pool{holder: map[uint32]Key{}}}
		s.functions[key] = f
	}
	return f
}

func (s *State) dropFunctionIfEmpty(key Key) {
	if f := s.functions[key]; f != nil && s.objects[key] == nil && len(f.chains) == 0 && len(f.vlans.holder) == 0 {
		delete(s.functions, key)
	}
}

// dropFunctions forgets the functions that the draft took out: chains that were put again
// have given up their VLANs there only since.
func (d *Draft) dropFunctions() {
	for i := range d.steps {
		if key := d.steps[i].Key; key.Kind == KindServiceFunction {
			d.state.dropFunctionIfEmpty(key)
		}
	}
}

func (s *State) indexChain(c *Chain) {
	router := c.RouterKey()
	for _, key := range c.FunctionKeys() {
		f := s.function(key)
		f.chains[c.Key()] = struct{}{}
		f.routers[router]++
	}
	r := s.chainsOf[router]
	if r == nil {
		r = &routerChains{names: map[string]struct{}{}}
		s.chainsOf[router] = r
	}
	r.names[c.Metadata.Name] = struct{}{}
	at, _ := slices.BinarySearch(r.priorities, c.Allocated.Priority)
	r.priorities = slices.Insert(r.priorities, at, c.Allocated.Priority)
}

func (s *State) unindexChain(c *Chain) {
	router := c.RouterKey()
	for _, key := range c.FunctionKeys() {
		f := s.function(key)
		delete(f.chains, c.Key())
		if f.routers[router]--; f.routers[router] == 0 {
			delete(f.routers, router)
		}
		s.dropFunctionIfEmpty(key)
	}
	r := s.chainsOf[router]
	delete(r.names, c.Metadata.Name)
	if at, found := slices.BinarySearch(r.priorities, c.Allocated.Priority); found {
		r.priorities = slices.Delete(r.priorities, at, at+1)
	}
	if len(r.names) == 0 {
		delete(s.chainsOf, router)
	}
}

// usersOf are the chains that a service function is in, sorted.
func (s *State) usersOf(function Key) []Key {
	f := s.functions[function]
	if f == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(f.chains), compareKeys)
}

// chainReferences are the service functions or chains that refer to an endpoint, a router
// or a service function.
func (s *State) chainReferences(key Key) []Key {
	var by []Key
	switch key.Kind {
	case KindEndpoint:
		if holder, is := s.claims[claim{as: claimInstance, of: key}]; is {
			by = append(by, holder)
		}
	case KindRouter:
		if r := s.chainsOf[key]; r != nil {
			for name := range r.names {
				by = append(by, Key{KindChain, key.Tenant, name})
			}
		}
	case KindServiceFunction:
		by = s.usersOf(key)
	}
	return by
}
