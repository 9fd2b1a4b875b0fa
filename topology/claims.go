package topology

import (
	"fmt"
	"net/netip"
)

// claim is something that only one object can have. Fields that do not matter to it
// are left out.
type claim struct {
	as       claimKind
	of       Key    // a tenant, an endpoint, or a router
	gateway  string // or physical network
	address  netip.Addr
	protocol string
	port     int // or VLAN, or priority
}

type claimKind string

const (
	// claimPeer: the controller has one address, so that a router can tell only one
	// external network's announcements from it.
	claimPeer claimKind = "BGP peer"
	// claimInside and claimOutside: by the one, packets to a service are told apart, by
	// the other, those from it.
	claimInside  claimKind = "address inside"
	claimOutside claimKind = "address outside"
	// claimTarget: packets from a port of an endpoint are told apart by nothing else.
	// Its address is unspecified, and says the IP version: it is always the
	// endpoint's first of that version.
	claimTarget claimKind = "target"
	// claimWire: by the physical network and the VLAN, frames of external networks are
	// told apart.
	claimWire claimKind = "wire"
	// claimInstance: what an endpoint that is an instance sends is of one function.
	claimInstance claimKind = "instance"
	// claimPriority: of two chains with one priority a switch would choose either.
	claimPriority claimKind = "priority"
)

// claims are all that an object has alone: those of an external network in the
// order of its peers and then its wire, those of a service two for each port, those of a floating IP
// in the order of its ports, those of a service function two for each instance.
func claims(o Object) []claim {
	var list []claim
	switch o := o.(type) {
	case *ExternalNetwork:
		if o.Spec.BGP != nil {
			for _, p := range o.Spec.BGP.Peers {
				list = append(list, claim{as: claimPeer, address: p.Address})
			}
		}
		list = append(list, claim{as: claimWire, gateway: o.Spec.PhysicalNetwork, port: o.Spec.VLAN})
	case *Service:
		tenant := Key{Kind: KindTenant, Name: o.Metadata.Tenant}
		for _, p := range o.Spec.Ports {
			list = append(list,
				claim{claimInside, tenant, "", o.Allocated.InsideAddress, p.Protocol, p.Port},
				claim{claimOutside, tenant, o.Spec.Gateway, o.Spec.Address, p.Protocol, p.Port})
		}
	case *FloatingIP:
		version := netip.IPv6Unspecified()
		if o.Allocated.Address.Is4() {
			version = netip.IPv4Unspecified()
		}
		for _, p := range o.Spec.Ports {
			list = append(list, claim{claimTarget, Key{KindEndpoint, o.Metadata.Tenant, p.Endpoint}, o.Spec.Gateway, version, p.Protocol, p.target()})
		}
	case *ServiceFunction:
		for _, e := range o.Endpoints() {
			list = append(list, claim{as: claimInstance, of: e})
		}
	case *Chain:
		list = append(list, o.priorityClaim(o.Allocated.Priority))
	}
	return list
}

func (s *State) indexClaims(o Object) {
	for _, c := range claims(o) {
		if _, taken := s.claims[c]; !taken {
			s.claims[c] = o.Key()
		}
	}
}

func (s *State) unindexClaims(o Object) {
	for _, c := range claims(o) {
		if s.claims[c] == o.Key() {
			delete(s.claims, c)
		}
	}
}

// checkClaims checks that an object has alone what it must have alone.
func (s *State) checkClaims(o Object) error {
	for i, c := range claims(o) {
		holder := s.claims[c]
		if holder == o.Key() {
			continue
		}
		switch c.as {
		case claimPeer:
			return conflict(o.Key(), fmt.Sprintf("spec.bgp.peers[%d].address", i), holder, "%s is a peer of another external network; a router is a peer of one", c.address)
		case claimWire:
			return conflict(o.Key(), "spec.vlan", holder, "%s of physical network %s is another external network's already, and hosts could not tell their packets apart; choose another VLAN, or make one external network with the subnets of both", vlanText(c.port), c.gateway)
		case claimTarget:
			return conflict(o.Key(), fmt.Sprintf("spec.ports[%d].endpointPort", i), holder,
				"%s port %d of %s is reached at gateway %s by another floating IP already, and replies could not be told apart; choose another port", c.protocol, c.port, c.of, c.gateway)
		case claimInstance:
			return conflict(o.Key(), fmt.Sprintf("spec.instances[%d].%s", i/2, [2]string{"in", "out"}[i%2]), holder,
				"%s is in an instance of another service function already; an endpoint is in one", c.of)
		case claimPriority:
			return conflict(o.Key(), "spec.priority", holder, "%d is the priority of another chain of %s already; choose another, or leave it out to have one allocated", c.port, c.of)
		case claimInside:
			return conflict(o.Key(), fmt.Sprintf("spec.ports[%d]", i/2), holder,
				"%s port %d of %s inside is that of another service already, and packets could not be told apart", c.protocol, c.port, c.address)
		default:
			return conflict(o.Key(), fmt.Sprintf("spec.ports[%d]", i/2), holder,
				"%s port %d of %s is the %s of another service at gateway %s already, and packets could not be told apart", c.protocol, c.port, c.address, c.as, c.gateway)
		}
	}
	return nil
}

func vlanText(vlan int) string {
	if vlan == 0 {
		return "untagged traffic"
	}
	return fmt.Sprintf("VLAN %d", vlan)
}
