package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// This file checks what a draft leads to: nothing refers to what is gone, and
// networks still fit their endpoints and routers.

func (d *Draft) check() error {
	routers := map[Key]Key{}         // to the object to blame: the router, or one of its networks
	services := map[use][]*Service{} // that were put
	for i := range d.steps {
		st := &d.steps[i]
		if st.now == nil {
			if err := d.state.unreferenced(st.Key); err != nil {
				return err
			}
			continue
		}
		if err := d.state.checkClaims(st.now); err != nil {
			return err
		}
		switch st.Key.Kind {
		case KindService:
			v := st.now.(*Service)
			at := use{v.Spec.Gateway, KindService, st.Key.Tenant}
			services[at] = append(services[at], v)
		case KindExternalNetwork:
			if err := d.state.checkExternalFits(st.now.(*ExternalNetwork)); err != nil {
				return err
			}
		case KindFloatingIP:
			if err := d.state.checkFloatingIP(st.now.(*FloatingIP)); err != nil {
				return err
			}
		case KindEndpoint:
			if err := d.state.checkStillStoodFor(st.now.(*Endpoint), st.old); err != nil {
				return err
			}
		case KindRouter:
			old, _ := st.old.(*Router)
			if err := d.state.checkSidesOf(st.now.(*Router), old); err != nil {
				return err
			}
			routers[st.Key] = st.Key
		case KindServiceFunction:
			if err := d.state.checkUsers(st.now.(*ServiceFunction)); err != nil {
				return err
			}
		case KindChain:
			if err := d.state.checkChain(st.now.(*Chain)); err != nil {
				return err
			}
		case KindNetwork:
			n, old := st.now.(*Network), asNetwork(st.old)
			if old == nil || slices.Equal(n.Allocated.Subnets, old.Allocated.Subnets) {
				continue
			}
			if err := d.state.checkEndpointsFit(n); err != nil {
				return err
			}
			if name := d.state.networks[st.Key].router; name != "" {
				key := Key{KindRouter, st.Key.Tenant, name}
				if _, ok := routers[key]; !ok {
					routers[key] = st.Key
				}
			}
		}
	}
	for _, list := range services {
		if err := d.state.checkServices(list); err != nil {
			return err
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(routers), compareKeys) { // so that the answer is always the same
		if err := d.state.checkRouter(d.state.objects[key].(*Router), routers[key]); err != nil {
			return err
		}
	}
	return nil
}

// maxReferences is how many referring objects a ReferencedError names.
const maxReferences = 10

// unreferenced checks that nothing refers to an object that is gone.
func (s *State) unreferenced(key Key) error {
	var by []Key
	switch key.Kind {
	case KindTenant:
		for _, k := range kinds {
			for _, o := range s.sorted(scope{k.kind, key.Name}) {
				if k.scoped && len(by) < maxReferences {
					by = append(by, o.Key())
				}
			}
		}
	case KindNetwork:
		by = s.networkReferences(key)
	case KindExternalNetwork, KindGateway, KindEndpoint:
		by = append(s.externalReferences(key), s.chainReferences(key)...)
	case KindRouter, KindServiceFunction:
		by = s.chainReferences(key)
	case KindHost:
		for e := range s.boundTo[key.Name] {
			if s.objects[e] != nil {
				by = append(by, e)
			}
		}
	}
	if len(by) == 0 {
		return nil
	}
	slices.SortFunc(by, compareKeys)
	return &ReferencedError{Key: key, By: by[:min(len(by), maxReferences)]}
}

func (s *State) networkReferences(key Key) []Key {
	n := s.networks[key]
	if n == nil {
		return nil
	}
	var by []Key
	if n.router != "" {
		by = append(by, Key{KindRouter, key.Tenant, n.router})
	}
	for name := range n.endpoints {
		by = append(by, Key{KindEndpoint, key.Tenant, name})
	}
	return by
}

// checkEndpointsFit checks that the addresses of a network's endpoints are still
// in its subnets, and none is a gateway.
func (s *State) checkEndpointsFit(n *Network) error {
	idx := s.networks[n.Key()]
	for i, sub := range n.Allocated.Subnets {
		if name, taken := idx.addresses[sub.Gateway]; taken {
			return conflict(n.Key(), fmt.Sprintf("spec.subnets[%d].gateway", i), Key{KindEndpoint, n.Metadata.Tenant, name},
				"%s is the address of an endpoint; choose another gateway, or give the endpoint another address", sub.Gateway)
		}
	}
	lost, found := netip.Addr{}, false
	for a := range idx.addresses {
		if addressIn(n, a) != "" && (!found || a.Less(lost)) {
			lost, found = a, true // the lowest, so that the answer is always the same
		}
	}
	if found {
		return conflict(n.Key(), "spec.subnets", Key{KindEndpoint, n.Metadata.Tenant, idx.addresses[lost]},
			"without a subnet that holds it, address %s is lost; delete the endpoint or give it another address first", lost)
	}
	return nil
}

// joined is one subnet of a router.
type joined struct {
	Subnet
	network string
	at      int // place of the network in spec.networks
}

func (s *State) joinedSubnets(r *Router) []joined {
	var list []joined
	for i, name := range r.Spec.Networks {
		n := asNetwork(s.objects[r.NetworkKey(name)])
		if n == nil {
			continue // only if somebody tampered with the store
		}
		for _, sub := range n.Allocated.Subnets {
			list = append(list, joined{sub, name, i})
		}
	}
	slices.SortFunc(list, func(a, b joined) int { return a.CIDR.Compare(b.CIDR) })
	return list
}

// checkRouter checks that the subnets of a router do not overlap, that its static
// routes fit them, that no service is reached by an address in them, and that those
// that are routed outside fit there. blame is the object whose change made it
// necessary: the router, or one of its networks.
func (s *State) checkRouter(r *Router, blame Key) error {
	subnets := s.joinedSubnets(r)
	for i := 1; i < len(subnets); i++ {
		// Sorted by address, a prefix that overlaps any other overlaps its neighbour.
		a, b := subnets[i-1], subnets[i]
		if !a.CIDR.Overlaps(b.CIDR) {
			continue
		}
		if a.at > b.at {
			a, b = b, a
		}
		field := fmt.Sprintf("spec.networks[%d]", b.at)
		if blame.Kind == KindNetwork {
			field = "spec.subnets"
		}
		return invalid(blame, field, "on %s, subnet %s of network %s overlaps subnet %s of network %s; subnets of one router must not overlap", r.Key(), b.CIDR, b.network, a.CIDR, a.network)
	}
	for i, route := range r.Spec.StaticRoutes {
		field, reason := checkRouteFits(subnets, route)
		if reason == "" {
			continue
		}
		if blame.Kind == KindNetwork {
			return invalid(blame, "spec.subnets", "static route %d of %s, to %s, would not fit: %s; change the route first", i, r.Key(), route.Destination, reason)
		}
		return invalid(blame, fmt.Sprintf("spec.staticRoutes[%d].%s", i, field), "%s", reason)
	}
	if err := s.checkServicesOf(r, subnets, blame); err != nil {
		return err
	}
	return s.checkRoutedOf(r, subnets, blame)
}

// checkRouteFits says which field of a route does not fit the joined subnets, and
// why; or "".
func checkRouteFits(subnets []joined, route StaticRoute) (field, reason string) {
	via, ok := subnetOf(subnets, route.NextHop)
	if !ok {
		return "nextHop", fmt.Sprintf("%s is in no subnet of the router's networks; choose an address that is", route.NextHop)
	}
	if route.NextHop == via.Gateway {
		return "nextHop", fmt.Sprintf("%s is the gateway of %s, which is the router itself; choose the address of the next router", route.NextHop, via.CIDR)
	}
	if bad := notForHosts(via.CIDR, route.NextHop); bad != "" {
		return "nextHop", bad + "; choose the address of the next router"
	}
	if in, ok := subnetOf(subnets, route.Destination.Addr()); ok && within(in.CIDR, route.Destination) {
		return "destination", fmt.Sprintf("%s is in subnet %s of network %s, which is connected; leave the route out", route.Destination, in.CIDR, in.network)
	}
	return "", ""
}

// subnetOf finds the subnet that holds an address in a sorted list.
func subnetOf(subnets []joined, a netip.Addr) (joined, bool) {
	i, found := slices.BinarySearchFunc(subnets, a, func(j joined, a netip.Addr) int { return j.CIDR.Addr().Compare(a) })
	if !found {
		i--
	}
	if i < 0 || !subnets[i].CIDR.Contains(a) {
		return joined{}, false
	}
	return subnets[i], true
}
