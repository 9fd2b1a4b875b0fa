package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Router is a router as every host of its routing domain sees it. networks are
// those that it joins, in the order of its spec. The result is the same on all
// hosts: each routes for its own endpoints.
func Router(r *topology.Router, networks []*topology.Network) []openflow.Flow {
	b := routerBuilder{id: RegRouter.Uint(uint64(r.Allocated.ID))}
	for _, n := range networks {
		b.admit(n)
		for _, s := range n.Allocated.Subnets {
			b.gateway(n.Allocated.VNI, s.Gateway)
			b.route(s.CIDR, n.Allocated.VNI, netip.Addr{})
		}
	}
	for _, sr := range r.Spec.StaticRoutes {
		if n := networkOf(networks, sr.NextHop); n != nil {
			b.route(sr.Destination, n.Allocated.VNI, sr.NextHop)
		}
	}
	return b.flows
}

// networkOf is the network that has a subnet with the address, or nil.
func networkOf(networks []*topology.Network, a netip.Addr) *topology.Network {
	for _, n := range networks {
		for _, s := range n.Allocated.Subnets {
			if s.CIDR.Contains(a) {
				return n
			}
		}
	}
	return nil
}

type routerBuilder struct {
	builder
	id openflow.FieldValue // reg1 = the router
}

// admit takes packets for the gateway's MAC out of the network, once a family,
// and keeps the gateway's address for ICMP errors.
func (b *routerBuilder) admit(n *topology.Network) {
	seen := map[bool]bool{}
	for _, s := range n.Allocated.Subnets {
		is4 := s.Gateway.Is4()
		if seen[is4] {
			continue
		}
		seen[is4] = true
		eth, source := uint64(ethIPv6), RegSource6
		if is4 {
			eth, source = ethIPv4, RegSource4
		}
		b.goTo(TableAdmit, 100, match(network(n.Allocated.VNI), openflow.EthDst.MAC(GatewayMAC), ethType(eth)), TableRoute,
			openflow.SetField{FieldValue: b.id}, openflow.SetField{FieldValue: source.Addr(s.Gateway)})
	}
}

// gateway has the router answer at its address in a network.
func (b *routerBuilder) gateway(vni uint32, gw netip.Addr) {
	b.add(TableNeighbour, 100, match(network(vni), nextHop(gw)),
		openflow.SetField{FieldValue: openflow.EthDst.MAC(GatewayMAC)}, raise(FlagFound), raise(FlagRouter))
	if gw.Is4() {
		own := match(b.id, ethType(ethIPv4), openflow.IPv4Dst.Addr(gw))
		b.echo(append(own[:len(own):len(own)], openflow.IPProto.Uint(protoICMP), openflow.ICMPv4Type.Uint(8), openflow.ICMPv4Code.Uint(0)),
			openflow.ICMPv4Type.Uint(0), openflow.IPv4Src, openflow.IPv4Dst, RegSource4)
		b.icmpError(TableRoute, prioOwn, append(own[:len(own):len(own)], openflow.IPProto.Uint(protoUDP)), 3, 3)
		b.add(TableRoute, prioOwn-1, own)
		return
	}
	own := match(b.id, ethType(ethIPv6), openflow.IPv6Dst.Addr(gw))
	b.echo(append(own[:len(own):len(own)], openflow.IPProto.Uint(protoICMP6), openflow.ICMPv6Type.Uint(128), openflow.ICMPv6Code.Uint(0)),
		openflow.ICMPv6Type.Uint(129), openflow.IPv6Src, openflow.IPv6Dst, RegSource6)
	b.icmpError(TableRoute, prioOwn, append(own[:len(own):len(own)], openflow.IPProto.Uint(protoUDP)), 1, 4)
	b.add(TableRoute, prioOwn-1, own)
}

// echo turns an echo request from inside into its reply and sends it back (RFC 792,
// RFC 4443). What came from outside has lost its tag, and goes back another way.
func (b *routerBuilder) echo(m openflow.Match, reply openflow.FieldValue, src, dst, scratch openflow.Field) {
	b.add(TableRoute, prioEcho, with(m, RegExternal.Uint(0)),
		copyField(dst, scratch), copyField(src, dst), copyField(scratch, src),
		openflow.SetField{FieldValue: reply},
		openflow.SetField{FieldValue: openflow.IPTTL.Uint(64)},
		copyField(openflow.EthSrc, openflow.EthDst),
		openflow.SetField{FieldValue: openflow.EthSrc.MAC(GatewayMAC)},
		openflow.Output{Port: openflow.PortInPort})
}

// route sends a prefix into a network: to nextHop, or, where that is not given,
// to the destination itself. The longest prefix wins by priority; a connected
// one wins over a static route of the same length.
func (b *routerBuilder) route(p netip.Prefix, vni uint32, via netip.Addr) {
	priority := prioRouteFirst + 2*uint16(p.Bits())
	eth, dst, hop := uint64(ethIPv6), openflow.IPv6Dst, RegNextHop6
	if p.Addr().Is4() {
		eth, dst, hop = ethIPv4, openflow.IPv4Dst, RegNextHop4
	}
	var resolve openflow.Action
	if via.IsValid() {
		resolve = openflow.SetField{FieldValue: nextHop(via)}
	} else {
		priority++
		resolve = copyField(dst, hop)
	}
	m := match(b.id, ethType(eth))
	if p.Bits() > 0 {
		m = append(m, dst.Prefix(p))
	}
	b.goTo(TableRoute, priority, m, TableRouted,
		openflow.DecTTL{},
		openflow.SetField{FieldValue: network(vni)},
		resolve,
		openflow.Resubmit{Table: TableNeighbour})
}
