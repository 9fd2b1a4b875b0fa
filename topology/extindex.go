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
	addresses map[netip.Addr]Key             // to the holder: a gateway, a router or a floating IP
	pools     map[AddressRange]*numbers      // taken offsets, of pools that were allocated from
	services  map[string]map[string]struct{} // those there, by tenant
	routed    prefixTree[routedBy]           // subnets that are reached by their own addresses
}

func (s *State) external(name string) *extIndex {
	x := s.externals[name]
	if x == nil {
		x = &extIndex{gateways: map[string]struct{}{}, addresses: map[netip.Addr]Key{}, pools: map[AddressRange]*numbers{}, services: map[string]map[string]struct{}{}}
		s.externals[name] = x
	}
	return x
}

func (s *State) dropExternalIfEmpty(name string) {
	x := s.externals[name]
	if x != nil && s.objects[Key{Kind: KindExternalNetwork, Name: name}] == nil && len(x.gateways) == 0 && len(x.addresses) == 0 && len(x.services) == 0 && x.routed.empty() {
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

// holding is what an object has to do with one external network.
type holding struct {
	external  string
	gateway   string // that the object names; "" for a gateway itself
	addresses []netip.Addr
}

// holdings are all that an object has to do with external networks.
func holdings(o Object) []holding {
	switch o := o.(type) {
	case *Gateway:
		h := holding{external: o.Spec.ExternalNetwork}
		for _, l := range o.Allocated.Lanes {
			h.addresses = append(h.addresses, l.Addresses...)
		}
		return []holding{h}
	case *Router:
		list := make([]holding, len(o.Allocated.Gateways))
		for i, a := range o.Allocated.Gateways {
			list[i] = holding{a.ExternalNetwork, a.Gateway, a.Addresses}
		}
		return list
	case *FloatingIP:
		return []holding{{o.Allocated.ExternalNetwork, o.Spec.Gateway, []netip.Addr{o.Allocated.Address}}}
	case *Service:
		return []holding{{o.Allocated.ExternalNetwork, o.Spec.Gateway, nil}}
	}
	return nil
}

// use names the objects of one kind and tenant that name one gateway.
type use struct {
	gateway string
	kind    Kind
	tenant  string
}

func (s *State) indexHoldings(o Object) {
	key := o.Key()
	for _, h := range holdings(o) {
		x := s.external(h.external)
		if h.gateway == "" {
			x.gateways[key.Name] = struct{}{}
		} else {
			addTo(s.gatewayUse, h.gateway, key)
			addTo(s.atGateway, use{h.gateway, key.Kind, key.Tenant}, key.Name)
		}
		if key.Kind == KindService {
			addTo(x.services, key.Tenant, key.Name)
		}
		for _, a := range h.addresses {
			x.take(a, key)
		}
	}
}

func (s *State) unindexHoldings(o Object) {
	key := o.Key()
	for _, h := range holdings(o) {
		x := s.external(h.external)
		if h.gateway == "" {
			delete(x.gateways, key.Name)
		} else {
			removeFrom(s.gatewayUse, h.gateway, key)
			removeFrom(s.atGateway, use{h.gateway, key.Kind, key.Tenant}, key.Name)
		}
		if key.Kind == KindService {
			removeFrom(x.services, key.Tenant, key.Name)
		}
		for _, a := range h.addresses {
			x.release(a, key)
		}
		s.dropExternalIfEmpty(h.external)
	}
}

// externalReferences are the objects that refer to an external network, a gateway
// or an endpoint.
func (s *State) externalReferences(key Key) []Key {
	var by []Key
	switch key.Kind {
	case KindExternalNetwork:
		if x := s.externals[key.Name]; x != nil {
			for name := range x.gateways {
				by = append(by, Key{Kind: KindGateway, Name: name})
			}
		}
	case KindGateway:
		by = slices.Collect(maps.Keys(s.gatewayUse[key.Name]))
	case KindEndpoint:
		for name := range s.floating[key] {
			by = append(by, Key{KindFloatingIP, key.Tenant, name})
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
