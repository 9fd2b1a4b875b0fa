package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// EndpointRemote is an endpoint as every host of its routing domain sees it: its
// MAC is behind vtep, and its addresses have its MAC. The host that it is on
// has these flows too, with EndpointLocal above them.
func EndpointRemote(n *topology.Network, e *topology.Endpoint, vtep netip.Addr) []openflow.Flow {
	var b builder
	vni := n.Allocated.VNI
	for _, a := range resolvable(n, e) {
		b.add(TableNeighbour, 100, match(network(vni), nextHop(a)),
			openflow.SetField{FieldValue: openflow.EthDst.MAC(e.Allocated.MAC)}, raise(FlagFound))
	}
	b.goTo(TableForward, prioRemote, match(network(vni), openflow.EthDst.MAC(e.Allocated.MAC)), TableEncap, set(tunDst(vtep)))
	return b.flows
}

// EndpointLocal is an endpoint on the host that has its port.
func EndpointLocal(n *topology.Network, e *topology.Endpoint, ofport uint32) []openflow.Flow {
	var b builder
	b.goTo(TableClassify, 100, match(inPort(ofport)), TableAntiSpoof,
		openflow.SetField{FieldValue: network(n.Allocated.VNI)})
	b.add(TableForward, prioLocal, match(network(n.Allocated.VNI), openflow.EthDst.MAC(e.Allocated.MAC)),
		openflow.Output{Port: ofport})

	s := sender{b: &b, port: ofport}
	for _, a := range resolvable(n, e) {
		s.allowOwn(e.Allocated.MAC, a)
	}
	own := map[identity]bool{}
	for _, a := range resolvable(n, e) {
		own[identity{netip.PrefixFrom(a, a.BitLen()), e.Allocated.MAC}] = true
	}
	for _, a := range e.Spec.AllowedAddresses {
		id := identity{a.Prefix, a.MAC}
		if id.mac.IsZero() {
			id.mac = e.Allocated.MAC
		}
		if !own[id] { // a flow can be there only once
			own[id] = true
			s.allow(id.mac, id.prefix)
		}
	}
	if hasIPv6(n) {
		// Duplicate address detection and the like: nothing to answer, since the
		// store keeps addresses unique, but nothing wrong either.
		b.add(TableAntiSpoof, 150, match(inPort(ofport), openflow.EthSrc.MAC(e.Allocated.MAC), ethType(ethIPv6),
			openflow.IPv6Src.Addr(netip.IPv6Unspecified())))
	}
	b.add(TableAntiSpoof, 100, match(inPort(ofport)))
	return b.flows
}

// identity is one thing that an endpoint may say it is.
type identity struct {
	prefix netip.Prefix
	mac    topology.MAC
}

// resolvable are the addresses at which an endpoint is found: its own, and the
// link-local one where the network has IPv6.
func resolvable(n *topology.Network, e *topology.Endpoint) []netip.Addr {
	addrs := e.Allocated.Addresses
	if hasIPv6(n) {
		addrs = append(addrs[:len(addrs):len(addrs)], e.Allocated.MAC.LinkLocal())
	}
	return addrs
}

func hasIPv6(n *topology.Network) bool {
	for _, s := range n.Allocated.Subnets {
		if s.CIDR.Addr().Is6() {
			return true
		}
	}
	return false
}

// sender writes the anti-spoofing flows of one port.
type sender struct {
	b    *builder
	port uint32
}

// allowOwn lets the port send from an address that is its alone.
func (s sender) allowOwn(mac topology.MAC, a netip.Addr) {
	s.allow(mac, netip.PrefixFrom(a, a.BitLen()))
	if a.Is4() {
		// Probes and announcements of its own address (RFC 5227) need no answer.
		s.b.add(TableAntiSpoof, 300, match(inPort(s.port), ethType(ethARP), openflow.ARPTPA.Addr(a)))
	}
}

func (s sender) allow(mac topology.MAC, p netip.Prefix) {
	from := match(inPort(s.port), openflow.EthSrc.MAC(mac))
	with := func(f ...openflow.FieldValue) openflow.Match { return append(from[:len(from):len(from)], f...) }
	if p.Addr().Is4() {
		s.b.goTo(TableAntiSpoof, 200, with(ethType(ethIPv4), openflow.IPv4Src.Prefix(p)), TableScope)
		s.b.goTo(TableAntiSpoof, 200, with(ethType(ethARP), openflow.ARPSPA.Prefix(p), openflow.ARPSHA.MAC(mac)), TableResolve)
		return
	}
	ip6 := with(ethType(ethIPv6), openflow.IPv6Src.Prefix(p))
	s.b.goTo(TableAntiSpoof, 200, ip6, TableScope)
	// Neighbour discovery says addresses inside the packet again: they must be
	// the sender's, or absent (RFC 4861, 4.3 and 4.4).
	nd := func(typ uint64, f ...openflow.FieldValue) openflow.Match {
		m := append(ip6[:len(ip6):len(ip6)], openflow.IPProto.Uint(protoICMP6), openflow.ICMPv6Type.Uint(typ))
		return append(m, f...)
	}
	s.b.goTo(TableAntiSpoof, 250, nd(135, openflow.NDSLL.MAC(mac)), TableResolve)
	s.b.goTo(TableAntiSpoof, 250, nd(135, openflow.NDSLL.MAC([6]byte{})), TableResolve)
	s.b.goTo(TableAntiSpoof, 250, nd(136, openflow.NDTarget.Prefix(p), openflow.NDTLL.MAC(mac)), TableAdmit)
	s.b.goTo(TableAntiSpoof, 250, nd(136, openflow.NDTarget.Prefix(p), openflow.NDTLL.MAC([6]byte{})), TableAdmit)
	s.b.add(TableAntiSpoof, 240, nd(135))
	s.b.add(TableAntiSpoof, 240, nd(136))
}
