package topology

import (
	"maps"
	"net/netip"
	"slices"
)

// extIndex is what is known of one external network by way of the objects that
// refer to it. It can outlive the network for a moment, inside a change set.
type extIndex struct {
	gateways  map[string]struct{}
	addresses map[netip.Addr]Key        // to the holder: a gateway, a router or a floating IP
	pools     map[AddressRange]*numbers // taken offsets, of pools that were allocated from
}

func (s *State) external(name string) *extIndex {
	x := s.externals[name]
	if x == nil {
		x = &extIndex{gateways: map[string]struct{}{}, addresses: map[netip.Addr]Key{}, pools: map[AddressRange]*numbers{}}
		s.externals[name] = x
	}
	return x
}

func (s *State) dropExternalIfEmpty(name string) {
	x := s.externals[name]
	if x != nil && s.objects[Key{Kind: KindExternal, Name: name}] == nil && len(x.gateways) == 0 && len(x.addresses) == 0 {
		delete(s.externals, name)
	}
}

// take gives an address to a holder, if nobody has it.
func (x *extIndex) take(a netip.Addr, holder Key) {
	if _, taken := x.addresses[a]; taken || !a.IsValid() {
		return
	}
	x.addresses[a] = holder
	x.mark(a, (*numbers).add)
}

func (x *extIndex) release(a netip.Addr, holder Key) {
	if x.addresses[a] != holder {
		return
	}
	delete(x.addresses, a)
	x.mark(a, (*numbers).remove)
}

func (x *extIndex) mark(a netip.Addr, do func(*numbers, uint32)) {
	for r, taken := range x.pools {
		if off, ok := r.offset(a); ok {
			do(taken, off)
		}
	}
}

// free returns the lowest address of the subnet's pools that nobody has.
func (x *extIndex) free(s ExternalSubnet) (netip.Addr, bool) {
	for _, r := range s.Pools {
		taken := x.offsets(r)
		for off, ok := taken.next(0); ok; off, ok = taken.next(off + 1) {
			a := r.at(off)
			if !r.contains(a) {
				break
			}
			if !slices.Contains(s.NextHops, a) && notForHosts(s.CIDR, a) == "" {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

// offsets are the taken offsets of a pool. They are collected once, when the first
// address is allocated from it, and kept up from then on.
func (x *extIndex) offsets(r AddressRange) *numbers {
	taken := x.pools[r]
	if taken != nil {
		return taken
	}
	taken = &numbers{}
	for a := range x.addresses {
		if off, ok := r.offset(a); ok {
			taken.add(off)
		}
	}
	x.pools[r] = taken
	return taken
}

// setPools forgets the offsets of pools that are no more.
func (x *extIndex) setPools(n *ExternalNetwork) {
	maps.DeleteFunc(x.pools, func(r AddressRange, _ *numbers) bool {
		return !slices.ContainsFunc(n.Spec.Subnets, func(s ExternalSubnet) bool { return slices.Contains(s.Pools, r) })
	})
}

func (s *State) indexExternal(o Object) {
	switch o := o.(type) {
	case *ExternalNetwork:
		s.externalIDs.take(o.Allocated.ID, o.Key())
		s.external(o.Metadata.Name).setPools(o)
	case *Gateway:
		s.gatewayIDs.take(o.Allocated.ID, o.Key())
		x := s.external(o.Spec.ExternalNetwork)
		x.gateways[o.Metadata.Name] = struct{}{}
		for _, l := range o.Allocated.Lanes {
			for _, a := range l.Addresses {
				x.take(a, o.Key())
			}
		}
	case *FloatingIP:
		s.external(o.Allocated.ExternalNetwork).take(o.Allocated.Address, o.Key())
		addTo(s.gatewayUse, o.Spec.Gateway, o.Key())
		for _, e := range o.Endpoints() {
			addTo(s.floating, e, o.Metadata.Name)
		}
	}
}

func (s *State) unindexExternal(o Object) {
	switch o := o.(type) {
	case *ExternalNetwork:
		s.externalIDs.release(o.Allocated.ID, o.Key())
		s.dropExternalIfEmpty(o.Metadata.Name)
	case *Gateway:
		s.gatewayIDs.release(o.Allocated.ID, o.Key())
		x := s.external(o.Spec.ExternalNetwork)
		delete(x.gateways, o.Metadata.Name)
		for _, l := range o.Allocated.Lanes {
			for _, a := range l.Addresses {
				x.release(a, o.Key())
			}
		}
		s.dropExternalIfEmpty(o.Spec.ExternalNetwork)
	case *FloatingIP:
		s.external(o.Allocated.ExternalNetwork).release(o.Allocated.Address, o.Key())
		s.dropExternalIfEmpty(o.Allocated.ExternalNetwork)
		removeFrom(s.gatewayUse, o.Spec.Gateway, o.Key())
		for _, e := range o.Endpoints() {
			removeFrom(s.floating, e, o.Metadata.Name)
		}
	}
}

func (s *State) indexAttachments(r *Router) {
	for _, a := range r.Allocated.Gateways {
		s.vnis.take(a.VNI, r.Key())
		s.zones.take(a.Zone, r.Key())
		addTo(s.gatewayUse, a.Gateway, r.Key())
		for _, addr := range a.Addresses {
			s.external(a.ExternalNetwork).take(addr, r.Key())
		}
	}
}

func (s *State) unindexAttachments(r *Router) {
	for _, a := range r.Allocated.Gateways {
		s.vnis.release(a.VNI, r.Key())
		s.zones.release(a.Zone, r.Key())
		removeFrom(s.gatewayUse, a.Gateway, r.Key())
		for _, addr := range a.Addresses {
			s.external(a.ExternalNetwork).release(addr, r.Key())
		}
		s.dropExternalIfEmpty(a.ExternalNetwork)
	}
}

// externalReferences are the objects that refer to an external network, a gateway
// or an endpoint.
func (s *State) externalReferences(key Key) []Key {
	var by []Key
	switch key.Kind {
	case KindExternal:
		if x := s.externals[key.Name]; x != nil {
			for name := range x.gateways {
				by = append(by, Key{Kind: KindGateway, Name: name})
			}
		}
	case KindGateway:
		by = slices.Collect(maps.Keys(s.gatewayUse[key.Name]))
	case KindEndpoint:
		for name := range s.floating[key] {
			by = append(by, Key{KindFloating, key.Tenant, name})
		}
	}
	return by
}

func addTo[K, V comparable](m map[K]map[V]struct{}, k K, v V) {
	if m[k] == nil {
		m[k] = map[V]struct{}{}
	}
	m[k][v] = struct{}{}
}

func removeFrom[K, V comparable](m map[K]map[V]struct{}, k K, v V) {
	delete(m[k], v)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}
