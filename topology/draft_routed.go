package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// This file checks that a subnet that is reached outside by its own addresses is the
// only one there that has them: outside, tenants are not told apart.

// routedBy is why a subnet is reached outside: the network that it is of, and the
// router that is connected.
type routedBy struct{ network, router Key }

// routerOf is the router that joins the network, nil if none does.
func (s *State) routerOf(n *Network) *Router {
	key := n.Key()
	if idx := s.networks[key]; idx != nil && idx.router != "" {
		r, _ := s.objects[Key{KindRouter, key.Tenant, idx.router}].(*Router)
		return r
	}
	return nil
}

// joinedTo are the networks that the router joins.
func (s *State) joinedTo(r *Router) []*Network {
	var list []*Network
	for _, name := range r.Spec.Networks {
		key := r.NetworkKey(name)
		if n := asNetwork(s.objects[key]); n != nil && s.networks[key].router == r.Metadata.Name {
			list = append(list, n)
		}
	}
	return list
}

// indexRouted notes what of the networks, which the router joins, is routed outside.
func (s *State) indexRouted(r *Router, networks ...*Network) {
	for _, n := range networks {
		eachRouted(r, n, func(external string, p netip.Prefix, by routedBy) {
			s.external(external).routed.add(p, by)
		})
	}
}

// unindexRouted takes that back for a router, or for a network, that is going.
func (s *State) unindexRouted(o Object) {
	var r *Router
	var networks []*Network
	switch o := o.(type) {
	case *Router:
		r, networks = o, s.joinedTo(o)
	case *Network:
		r, networks = s.routerOf(o), []*Network{o}
	}
	for _, n := range networks {
		eachRouted(r, n, func(external string, p netip.Prefix, by routedBy) {
			s.external(external).routed.remove(p, by)
			s.dropExternalIfEmpty(external)
		})
	}
}

// eachRouted calls do for each of the network's subnets and each gateway at which
// the router, nil if there is none, routes it.
func eachRouted(r *Router, n *Network, do func(external string, p netip.Prefix, by routedBy)) {
	if r == nil {
		return
	}
	for _, g := range r.Spec.Gateways {
		a := r.Attachment(g.Name)
		if a == nil {
			continue // only if somebody tampered with the store
		}
		for _, sub := range n.Allocated.Subnets {
			if g.Routes(n.Metadata.Name, sub.CIDR) {
				do(a.ExternalNetwork, sub.CIDR, routedBy{n.Key(), r.Key()})
			}
		}
	}
}

// routedAt is what a router routes outside by one of its gateways.
type routedAt struct {
	*Router
	at       int // place of the gateway in spec.gateways
	external string
	subnets  []joined // sorted
	blame    Key
}

// checkRoutedOf checks that what a router routes outside is nothing else there.
func (s *State) checkRoutedOf(r *Router, subnets []joined, blame Key) error {
	first := map[string]string{} // external network to gateway
	for i, g := range r.Spec.Gateways {
		a := r.Attachment(g.Name)
		if a == nil {
			continue // only if somebody tampered with the store
		}
		own := slices.DeleteFunc(slices.Clone(subnets), func(in joined) bool { return !g.Routes(in.network, in.CIDR) })
		at := routedAt{r, i, a.ExternalNetwork, own, blame}
		if other, twice := first[a.ExternalNetwork]; twice {
			if err := at.checkOnce(other); err != nil {
				return err
			}
		}
		first[a.ExternalNetwork] = g.Name
		if err := s.checkRoutedAt(at); err != nil {
			return err
		}
	}
	return nil
}

// checkOnce checks that a router routes nothing at two gateways of one external
// network: a host that carries both could not tell to which of the two a packet came.
func (at routedAt) checkOnce(other string) error {
	i := slices.IndexFunc(at.Spec.Gateways, func(g RouterGateway) bool { return g.Name == other })
	for _, in := range at.subnets {
		if at.Spec.Gateways[i].Routes(in.network, in.CIDR) {
			return at.conflict(in, Key{Kind: KindGateway, Name: other},
				"there already, by gateway %s; disconnect %s from one of the two gateways%s", other, at.Key(), orTranslate(in.CIDR, " at one"))
		}
	}
	return nil
}

func (s *State) checkRoutedAt(at routedAt) error {
	x, idx := s.externalNamed(at.external), s.external(at.external)
	for _, in := range at.subnets {
		if x != nil {
			for _, sub := range x.Spec.Subnets {
				if sub.CIDR.Overlaps(in.CIDR) {
					return at.conflict(in, x.Key(), "and overlaps %s, a subnet of that; give the network another subnet%s", sub.CIDR, orTranslate(in.CIDR, ""))
				}
			}
		}
		var err error
		idx.routed.overlapping(in.CIDR, func(p netip.Prefix, by routedBy) bool {
			if by.router != at.Key() {
				err = at.conflict(in, by.network, "and overlaps %s of %s, which %s routes there; give one of the networks another subnet%s", p, by.network, by.router, orTranslate(in.CIDR, ""))
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(idx.services[at.Metadata.Tenant])) {
		v, _ := s.objects[Key{KindService, at.Metadata.Tenant, name}].(*Service)
		if v == nil {
			continue // only if somebody tampered with the store
		}
		if in, found := subnetOf(at.subnets, v.Spec.Address); found {
			return at.conflict(in, v.Key(), "and holds %s, which is the address of a service there; give the network another subnet%s", v.Spec.Address, orTranslate(in.CIDR, ""))
		}
	}
	return nil
}

// conflict blames the router, or if a network is to blame, the one that the subnet is of.
func (at routedAt) conflict(in joined, holder Key, format string, args ...any) error {
	g := at.Spec.Gateways[at.at]
	key, field := at.Key(), fmt.Sprintf("spec.gateways[%d]", at.at)
	if j := slices.Index(g.RoutedNetworks, in.network); j >= 0 && in.CIDR.Addr().Is4() {
		field = fmt.Sprintf("%s.routedNetworks[%d]", field, j)
	}
	if at.blame.Kind == KindNetwork {
		key, field = at.NetworkKey(in.network), "spec.subnets"
	}
	return conflict(key, field, holder, "subnet %s of network %s, joined by %s, keeps its addresses in external network %s, %s",
		in.CIDR, in.network, at.Key(), at.external, fmt.Sprintf(format, args...))
}

// orTranslate is the other way out of a conflict, which only IPv4 has.
func orTranslate(p netip.Prefix, where string) string {
	if p.Addr().Is4() {
		return ", or leave it out of routedNetworks" + where
	}
	return ""
}

// checkNotRouted checks that no subnet of an external network is routed there.
func (s *State) checkNotRouted(x *ExternalNetwork) error {
	idx := s.external(x.Metadata.Name)
	for i, sub := range x.Spec.Subnets {
		var err error
		idx.routed.overlapping(sub.CIDR, func(p netip.Prefix, by routedBy) bool {
			err = conflict(x.Key(), fmt.Sprintf("spec.subnets[%d].cidr", i), by.network,
				"%s overlaps subnet %s of %s, which %s routes there with its own addresses; choose another, or disconnect the router first", sub.CIDR, p, by.network, by.router)
			return false
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkServiceOutside checks that a service's address outside is not in a subnet of
// its tenant that is routed there.
func (s *State) checkServiceOutside(v *Service) error {
	a := v.Spec.Address
	var err error
	s.external(v.Allocated.ExternalNetwork).routed.overlapping(netip.PrefixFrom(a, a.BitLen()), func(p netip.Prefix, by routedBy) bool {
		if by.router.Tenant == v.Metadata.Tenant {
			err = conflict(v.Key(), "spec.address", by.network,
				"%s is in subnet %s of %s, which %s routes in external network %s with its own addresses, so that packets would not get to a service there; choose an address outside", a, p, by.network, by.router, v.Allocated.ExternalNetwork)
		}
		return err == nil
	})
	return err
}
