package topology

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// State is the whole intent in memory, with an index for every question that
// validation and allocation ask, so that the cost of a change does not grow with
// the number of objects. It is not safe for concurrent use. Objects in it are
// shared and never changed.
type State struct {
	objects  map[Key]Object
	lists    map[scope]*list
	networks map[Key]*netIndex
	bindings map[Key]*Binding
	boundTo  map[string]map[Key]struct{} // host to endpoints

	vnis       pool
	routerIDs  pool
	interfaces map[string]Key
	datapaths  map[uint64]Key

	hostIDs     pool
	externalIDs pool
	gatewayIDs  pool
	zones       pool
	externals   map[string]*extIndex        // by external network
	gatewayUse  map[string]map[Key]struct{} // gateway to the routers, floating IPs and services that name it
	atGateway   map[use]map[string]struct{} // the same by kind and tenant, to their names
	floating    map[Key]map[string]struct{} // endpoint to the floating IPs that name it
	whole       map[Key]map[string]struct{} // and to those whose whole address stands for it
	claims      map[claim]Key

	functionIDs pool
	chainIDs    pool
	functions   map[Key]*functionIndex
	chainsOf    map[Key]*routerChains // by router
}

// scope names the objects of one kind in one tenant.
type scope struct {
	kind   Kind
	tenant string
}

// list is the objects of one scope, and their sorted form while it is valid.
type list struct {
	objects map[string]Object
	sorted  []Object
}

// pool is a set of numbers with their holders.
type pool struct {
	taken  numbers
	holder map[uint32]Key
}

// NewState returns the empty intent.
func NewState() *State {
	return &State{
		objects:    map[Key]Object{},
		lists:      map[scope]*list{},
		networks:   map[Key]*netIndex{},
		bindings:   map[Key]*Binding{},
		boundTo:    map[string]map[Key]struct{}{},
		vnis:       pool{holder: map[uint32]Key{}},
		routerIDs:  pool{holder: map[uint32]Key{}},
		interfaces: map[string]Key{},
		datapaths:  map[uint64]Key{},

		hostIDs:     pool{holder: map[uint32]Key{}},
		externalIDs: pool{holder: map[uint32]Key{}},
		gatewayIDs:  pool{holder: map[uint32]Key{}},
		zones:       pool{holder: map[uint32]Key{}},
		externals:   map[string]*extIndex{},
		gatewayUse:  map[string]map[Key]struct{}{},
		atGateway:   map[use]map[string]struct{}{},
		floating:    map[Key]map[string]struct{}{},
		whole:       map[Key]map[string]struct{}{},
		claims:      map[claim]Key{},

		functionIDs: pool{holder: map[uint32]Key{}},
		chainIDs:    pool{holder: map[uint32]Key{}},
		functions:   map[Key]*functionIndex{},
		chainsOf:    map[Key]*routerChains{},
	}
}

// Get returns the object, or nil.
func (s *State) Get(key Key) Object { return s.objects[key] }

// Len is the number of objects.
func (s *State) Len() int { return len(s.objects) }

// List returns the objects of a kind, sorted by tenant and name; tenant "" means
// all. The slice is the caller's.
func (s *State) List(kind Kind, tenant string) []Object {
	if tenant != "" || !kind.Scoped() {
		return slices.Clone(s.sorted(scope{kind, tenant}))
	}
	var tenants []string
	for sc := range s.lists {
		if sc.kind == kind {
			tenants = append(tenants, sc.tenant)
		}
	}
	slices.Sort(tenants)
	var out []Object
	for _, t := range tenants {
		out = append(out, s.sorted(scope{kind, t})...)
	}
	return out
}

func (s *State) sorted(sc scope) []Object {
	l := s.lists[sc]
	if l == nil {
		return nil
	}
	if l.sorted == nil {
		l.sorted = slices.SortedFunc(maps.Values(l.objects), func(a, b Object) int {
			return cmp.Compare(a.Meta().Name, b.Meta().Name)
		})
	}
	return l.sorted
}

// Apply puts what each edit has After, and removes where that is nil, without any
// check. Edits that belong together are applied together: what one object gives up
// another can have, in any order.
func (s *State) Apply(edits []Edit) {
	for _, e := range edits {
		s.Remove(e.Key)
	}
	for _, e := range edits {
		if e.After != nil {
			s.Put(e.After)
		}
	}
}

// Put adds or replaces an object as it is, without any check: it is for what was
// validated before.
func (s *State) Put(o Object) {
	key := o.Key()
	s.Remove(key)
	s.objects[key] = o
	sc := scope{key.Kind, key.Tenant}
	l := s.lists[sc]
	if l == nil {
		l = &list{objects: map[string]Object{}}
		s.lists[sc] = l
	}
	l.objects[key.Name], l.sorted = o, nil
	s.index(o)
}

// Remove takes an object out, without any check. Its binding stays.
func (s *State) Remove(key Key) {
	o := s.objects[key]
	if o == nil {
		return
	}
	delete(s.objects, key)
	sc := scope{key.Kind, key.Tenant}
	l := s.lists[sc]
	delete(l.objects, key.Name)
	if l.sorted = nil; len(l.objects) == 0 {
		delete(s.lists, sc)
	}
	s.unindex(o)
}

func (s *State) index(o Object) {
	for _, n := range s.numbersOf(o) {
		n.pool.take(n.number, o.Key())
	}
	s.indexHoldings(o)
	s.indexClaims(o)
	switch o := o.(type) {
	case *Network:
		s.network(o.Key()).setSubnets(o)
		s.indexRouted(s.routerOf(o), o)
	case *Router:
		for _, name := range o.Spec.Networks {
			n := s.network(o.NetworkKey(name))
			if n.router == "" {
				n.router = o.Metadata.Name
			}
		}
		s.indexRouted(o, s.joinedTo(o)...)
	case *Endpoint:
		s.network(o.NetworkKey()).attach(o)
		if _, taken := s.interfaces[o.Allocated.InterfaceID]; !taken {
			s.interfaces[o.Allocated.InterfaceID] = o.Key()
		}
	case *Host:
		if _, taken := s.datapaths[o.Allocated.DatapathID]; !taken {
			s.datapaths[o.Allocated.DatapathID] = o.Key()
		}
	case *ExternalNetwork:
		s.external(o.Metadata.Name).setPools(o)
	case *FloatingIP:
		for _, e := range o.Endpoints() {
			addTo(s.floating, e, o.Metadata.Name)
			if o.Spec.Endpoint != "" {
				addTo(s.whole, e, o.Metadata.Name)
			}
		}
	case *ServiceFunction:
		s.function(o.Key())
	case *Chain:
		s.indexChain(o)
	}
}

func (s *State) unindex(o Object) {
	for _, n := range s.numbersOf(o) {
		n.pool.release(n.number, o.Key())
	}
	s.unindexRouted(o)
	s.unindexHoldings(o)
	s.unindexClaims(o)
	switch o := o.(type) {
	case *Network:
		s.dropIfEmpty(o.Key())
	case *Router:
		for _, name := range o.Spec.Networks {
			key := o.NetworkKey(name)
			if n := s.networks[key]; n != nil && n.router == o.Metadata.Name {
				n.router = ""
			}
			s.dropIfEmpty(key)
		}
	case *Endpoint:
		s.networks[o.NetworkKey()].detach(o)
		s.dropIfEmpty(o.NetworkKey())
		if s.interfaces[o.Allocated.InterfaceID] == o.Key() {
			delete(s.interfaces, o.Allocated.InterfaceID)
		}
	case *Host:
		if s.datapaths[o.Allocated.DatapathID] == o.Key() {
			delete(s.datapaths, o.Allocated.DatapathID)
		}
	case *ExternalNetwork:
		s.dropExternalIfEmpty(o.Metadata.Name)
	case *FloatingIP:
		for _, e := range o.Endpoints() {
			removeFrom(s.floating, e, o.Metadata.Name)
			removeFrom(s.whole, e, o.Metadata.Name)
		}
	case *ServiceFunction:
		s.dropFunctionIfEmpty(o.Key())
	case *Chain:
		s.unindexChain(o)
	}
}

func (s *State) network(key Key) *netIndex {
	n := s.networks[key]
	if n == nil {
		n = newNetIndex()
		s.networks[key] = n
	}
	return n
}

func (s *State) dropIfEmpty(key Key) {
	if n := s.networks[key]; n != nil && s.objects[key] == nil && n.router == "" && len(n.endpoints) == 0 {
		delete(s.networks, key)
	}
}

// held is a number that an object has of a pool.
type held struct {
	pool   *pool
	number uint32
}

// numbersOf are the numbers that an object has.
func (s *State) numbersOf(o Object) []held {
	switch o := o.(type) {
	case *Network:
		return []held{{&s.vnis, o.Allocated.VNI}}
	case *Router:
		list := []held{{&s.routerIDs, o.Allocated.ID}}
		for _, a := range o.Allocated.Gateways {
			list = append(list, held{&s.vnis, a.VNI}, held{&s.zones, a.Zone})
		}
		return list
	case *ExternalNetwork:
		return []held{{&s.externalIDs, o.Allocated.ID}}
	case *Gateway:
		return []held{{&s.gatewayIDs, o.Allocated.ID}}
	case *Host:
		return []held{{&s.hostIDs, o.Allocated.ID}}
	case *ServiceFunction:
		return []held{{&s.functionIDs, o.Allocated.ID}}
	case *Chain:
		list := []held{{&s.chainIDs, o.Allocated.ID}, {&s.zones, o.Allocated.Zone}}
		for _, key := range o.FunctionKeys() {
			if h := o.hop(key); h.VLAN > 0 {
				list = append(list, held{&s.function(key).vlans, uint32(h.VLAN)})
			}
		}
		return list
	}
	return nil
}

func (p *pool) take(n uint32, k Key) {
	if _, taken := p.holder[n]; n == 0 || n >= 1<<numbersBits || taken {
		return
	}
	p.holder[n] = k
	p.taken.add(n)
}

func (p *pool) release(n uint32, k Key) {
	if p.holder[n] == k && n != 0 && n < 1<<numbersBits {
		delete(p.holder, n)
		p.taken.remove(n)
	}
}

// Binding returns where the endpoint was last, or nil.
func (s *State) Binding(endpoint Key) *Binding { return s.bindings[endpoint] }

// Bindings returns all bindings, sorted by endpoint.
func (s *State) Bindings() []*Binding {
	return slices.SortedFunc(maps.Values(s.bindings), func(a, b *Binding) int { return compareKeys(a.Endpoint, b.Endpoint) })
}

// PutBinding sets the last known place of an endpoint.
func (s *State) PutBinding(b *Binding) {
	s.RemoveBinding(b.Endpoint)
	s.bindings[b.Endpoint] = b
	on := s.boundTo[b.Host]
	if on == nil {
		on = map[Key]struct{}{}
		s.boundTo[b.Host] = on
	}
	on[b.Endpoint] = struct{}{}
}

// RemoveBinding forgets the last known place of an endpoint.
func (s *State) RemoveBinding(endpoint Key) {
	b := s.bindings[endpoint]
	if b == nil {
		return
	}
	delete(s.bindings, endpoint)
	on := s.boundTo[b.Host]
	delete(on, endpoint)
	if len(on) == 0 {
		delete(s.boundTo, b.Host)
	}
}

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Name, b.Name))
}
