package pipeline

import (
	"net/netip"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Attachment is a router at one gateway.
type Attachment struct {
	Router   *topology.Router
	At       topology.Attachment
	Gateway  *topology.Gateway
	External *topology.ExternalNetwork
	// Networks are those of the router, in the order of its spec.
	Networks []*topology.Network
	Services []*topology.Service
	// Chained says that the router has chains.
	Chained bool
}

// port is a port of a transport protocol, "tcp" or "udp".
type port struct {
	protocol string
	number   uint16
}

func servicePort(p topology.ServicePort) port { return port{p.Protocol, uint16(p.Port)} }

func (p port) proto() openflow.FieldValue {
	if p.protocol == "tcp" {
		return openflow.IPProto.Uint(protoTCP)
	}
	return openflow.IPProto.Uint(protoUDP)
}

func (p port) source() openflow.FieldValue {
	if p.protocol == "tcp" {
		return openflow.TCPSrc.Uint(uint64(p.number))
	}
	return openflow.UDPSrc.Uint(uint64(p.number))
}

func (p port) dest() openflow.FieldValue {
	if p.protocol == "tcp" {
		return openflow.TCPDst.Uint(uint64(p.number))
	}
	return openflow.UDPDst.Uint(uint64(p.number))
}

func (a *Attachment) spec() topology.RouterGateway {
	i := slices.IndexFunc(a.Router.Spec.Gateways, func(g topology.RouterGateway) bool { return g.Name == a.At.Gateway })
	return a.Router.Spec.Gateways[i]
}

func (a *Attachment) lane() (int, topology.Lane) {
	i := a.Gateway.Lane(a.Router.Allocated.ID)
	return i, a.Gateway.Allocated.Lanes[i]
}

// mtus are the MTUs of the router's narrowest and widest network; 0 if it has none.
func (a *Attachment) mtus() (narrow, wide int) {
	for _, n := range a.Networks {
		if mtu := n.Allocated.MTU; narrow == 0 || mtu < narrow {
			narrow = mtu
		}
		wide = max(wide, n.Allocated.MTU)
	}
	return narrow, wide
}

// Exit is a router's way out by one gateway, as every host of its routing domain
// sees it: what goes there, and which group knows the host that carries it.
func Exit(a *Attachment) []openflow.Flow {
	b := exitBuilder{id: RegRouter.Uint(uint64(a.Router.Allocated.ID)), vni: uint64(a.At.VNI), mtu: a.External.Allocated.MTU}
	_, b.largest = a.mtus()
	for _, p := range a.spec().Prefixes() {
		f := fieldsOf(p.Addr())
		m := match(b.id, ethType(f.eth))
		if p.Bits() > 0 {
			m = append(m, f.dst.Prefix(p))
		}
		b.out(m, uint16(prioRouteFirst+2*p.Bits()), p.Addr())
	}
	for _, s := range a.Services {
		inside := s.Allocated.InsideAddress
		f := fieldsOf(inside)
		var rewrite []openflow.Action
		if inside != s.Spec.Address {
			rewrite = actions(set(f.dst.Addr(s.Spec.Address)))
		}
		for _, sp := range s.Spec.Ports {
			p := servicePort(sp)
			b.out(match(b.id, ethType(f.eth), f.dst.Addr(inside), p.proto(), p.dest()), prioService, inside, rewrite...)
		}
	}
	lane, _ := a.lane()
	b.add(TableDepart, 50, match(network(a.At.VNI)), toGroup(a.Gateway, lane, GroupLeave))
	b.servicesAsSources(a)
	return b.flows
}

// servicesAsSources are the addresses of services as sources of packets from outside:
// those that stand for them inside are ours to give, and where a service is in what a
// static route leads to, it is outside all the same.
func (b *exitBuilder) servicesAsSources(a *Attachment) {
	for _, s := range a.Services {
		from := func(addr netip.Addr) openflow.Match {
			f := fieldsOf(addr)
			return match(b.id, ethType(f.eth), f.src.Addr(addr))
		}
		if inside := s.Allocated.InsideAddress; inside != s.Spec.Address {
			b.add(TableArrive, 900, from(inside))
		}
		if slices.ContainsFunc(a.Router.Spec.StaticRoutes, func(sr topology.StaticRoute) bool { return sr.Destination.Contains(s.Spec.Address) }) {
			b.arrive(800, from(s.Spec.Address), a.Chained)
		}
	}
}

type exitBuilder struct {
	builder
	id           openflow.FieldValue
	vni          uint64
	mtu, largest int
}

// out sends what matches to the gateway; or back an ICMP error, if it is larger than
// what the external network takes (RFC 1191, 4; RFC 8201).
func (b *exitBuilder) out(m openflow.Match, priority uint16, family netip.Addr, first ...openflow.Action) {
	a := append(actions(openflow.DecTTL{}), first...)
	a = append(a, set(RegNetwork.Uint(b.vni)))
	if b.largest > b.mtu {
		a = append(a, tooLarge(family, b.mtu)...)
	}
	b.goTo(TableRoute, priority, m, TableDepart, a...)
}

// ethernetHeader is what check_pkt_larger counts besides the IP packet.
const ethernetHeader = 14

// tooLarge notes whether the packet is larger than an MTU, and the error that is owed then.
func tooLarge(family netip.Addr, mtu int) []openflow.Action {
	code := uint64(mtu)<<16 | 2<<8
	if family.Is4() {
		code = uint64(mtu)<<16 | 3<<8 | 4
	}
	return actions(set(RegICMP.Uint(code)), openflow.CheckPktLarger{Size: uint16(mtu + ethernetHeader), Dst: RegFlags, Bit: FlagLarge})
}

// fromOutside matches packets of any external network.
var fromOutside = RegExternal.UintMask(externalBit, externalBit)

// arrive lets a packet from outside in: to be routed, or first to be looked at by the
// router's chains.
func (b *builder) arrive(priority uint16, m openflow.Match, chained bool) {
	next, a := inside(chained)
	b.goTo(TableArrive, priority, m, next, a...)
}

func inside(chained bool) (next uint8, a []openflow.Action) {
	if chained {
		return TableSteer, actions(openflow.Resubmit{Table: TableToInside})
	}
	return TableRoute, nil
}

// Inside is the router as packets from outside find it, on every host that they come to.
// chained says that it has chains.
// None of them has a source that the router's own networks or static routes lead to, the
// longest prefix deciding as for destinations. A default route says nothing about sources.
func Inside(r *topology.Router, networks []*topology.Network, chained bool) []openflow.Flow {
	var b builder
	id := RegRouter.Uint(uint64(r.Allocated.ID))
	for _, n := range networks {
		for _, s := range n.Allocated.Subnets {
			f := fieldsOf(s.CIDR.Addr())
			b.add(TableArrive, 900, match(id, ethType(f.eth), f.src.Prefix(s.CIDR)))
			b.echoOutside(TableRoute, match(id, fromOutside), s.Gateway)
		}
	}
	source := func(p netip.Prefix) (uint16, openflow.Match) {
		f := fieldsOf(p.Addr())
		return uint16(prioRouteFirst + 2*p.Bits()), match(id, ethType(f.eth), f.src.Prefix(p))
	}
	for _, sr := range r.Spec.StaticRoutes {
		if sr.Destination.Bits() > 0 && networkOf(networks, sr.NextHop) != nil {
			priority, m := source(sr.Destination)
			b.add(TableArrive, priority, m)
		}
	}
	for _, g := range r.Spec.Gateways {
		for _, p := range g.Prefixes() {
			if slices.ContainsFunc(r.Spec.StaticRoutes, func(sr topology.StaticRoute) bool { return p.Bits() > 0 && sr.Destination.Overlaps(p) }) {
				priority, m := source(p)
				b.arrive(priority, m, chained)
			}
		}
	}
	b.arrive(100, match(id), chained)
	return b.flows
}

// AtGateway is the router on the gateway's hosts: how its packets leave, and how what
// answers them comes back.
func AtGateway(a *Attachment) []openflow.Flow {
	b := gatewayBuilder{Attachment: a, number: ExternalNumber(a.External), id: RegRouter.Uint(uint64(a.Router.Allocated.ID))}
	b.index, b.at = a.lane()
	b.add(TableClassify, 105, match(inPort(TunnelPort), openflow.TunID.Uint(uint64(a.At.VNI))),
		set(network(a.At.VNI)), clearInPort(), toGroup(a.Gateway, b.index, GroupCarry))
	b.goTo(TableClassify, 106, match(inPort(TunnelPort), openflow.TunID.Uint(uint64(a.At.VNI)), openflow.EthSrc.MAC(passedOnMAC)), TableLeave,
		set(network(a.At.VNI)), clearInPort())
	b.routed()
	b.snat()
	b.returns()
	// What is neither is counted, and does not leak.
	b.add(TableLeave, 1, match(network(a.At.VNI)))
	return b.flows
}

type gatewayBuilder struct {
	builder
	*Attachment
	number uint32
	index  int
	at     topology.Lane
	id     openflow.FieldValue
}

// ahead is what is done to a packet that leaves by the lane.
func (b *gatewayBuilder) ahead() []openflow.Action {
	return actions(set(openflow.EthSrc.MAC(b.at.MAC)), set(outside(b.number)))
}

func (b *gatewayBuilder) routed() {
	for _, n := range b.Networks {
		for _, s := range n.Allocated.Subnets {
			if !b.spec().Routes(n.Metadata.Name, s.CIDR) {
				continue
			}
			b.routedSubnet(n, s.CIDR)
		}
	}
}

func (b *gatewayBuilder) routedSubnet(n *topology.Network, p netip.Prefix) {
	f := fieldsOf(p.Addr())
	from := match(network(b.At.VNI), ethType(f.eth), f.src.Prefix(p))
	to := match(outside(b.number), ethType(f.eth), f.dst.Prefix(p))
	for _, m := range b.allowed(to, p.Addr()) {
		b.enter(m, 100, b.id, n.Allocated.MTU, b.External.Allocated.MTU, p.Addr())
	}
	if !b.spec().ServicesOnly {
		b.goTo(TableLeave, 200, from, TableNextHop, b.ahead()...)
		b.goTo(TableTranslate, 90, with(to, b.id), TableArrive)
		return
	}
	// A service answers, and does not begin.
	zone := uint16(b.At.Zone)
	b.add(TableLeave, 200, from, begin(zone))
	b.goTo(TableTracked, 200, from, TableNextHop, b.ahead()...)
	b.add(TableTranslate, 90, with(to, b.id), openflow.CT{Zone: zone, Table: TableReturn})
}

// allowed narrows what may come in to a routed network: everything, or where the
// router is connected for services only, their answers and errors about what they are sent.
func (b *gatewayBuilder) allowed(to openflow.Match, family netip.Addr) []openflow.Match {
	f := fieldsOf(family)
	if !b.spec().ServicesOnly {
		return []openflow.Match{to}
	}
	var list []openflow.Match
	for _, s := range b.Services {
		if fieldsOf(s.Spec.Address) != f {
			continue
		}
		for _, sp := range s.Spec.Ports {
			p := servicePort(sp)
			list = append(list, with(to, f.src.Addr(s.Spec.Address), p.proto(), p.source()))
		}
	}
	for _, typ := range quoting(family) {
		list = append(list, with(to, openflow.IPProto.Uint(f.icmp), f.icmpType.Uint(typ)))
	}
	return list
}

// enter lets a packet from outside on to be translated for a router, unless it is
// larger than the network behind takes.
func (b *builder) enter(m openflow.Match, priority uint16, id openflow.FieldValue, mtu, outsideMTU int, family netip.Addr) {
	a := actions(set(id))
	if mtu < outsideMTU {
		a = append(a, tooLarge(family, mtu)...)
	}
	b.goTo(TableEnter, priority, m, TableTranslate, a...)
}

// snat gives packets an address of the router's: which one depends on the address
// that they have, so that an endpoint keeps its own (RFC 4787, REQ-2).
func (b *gatewayBuilder) snat() {
	zone := uint16(b.At.Zone)
	n := len(b.At.Addresses)
	if n == 0 {
		return
	}
	shares := 1
	for shares < n {
		shares *= 2
	}
	for i := range shares {
		m := match(network(b.At.VNI), ethType(ethIPv4))
		if shares > 1 {
			m = append(m, openflow.IPv4Src.UintMask(uint64(i), uint64(shares-1)))
		}
		b.add(TableLeave, 100, m, openflow.CT{Commit: true, Zone: zone, Table: TableTracked, NAT: openflow.NAT{Kind: openflow.NATSource, Min: b.At.Addresses[i%n]}})
	}
	// Where no port is left, the packet comes as it was, as one of a new connection.
	b.toController(TableTracked, 50, MeterStray, match(network(b.At.VNI), ctState(ctTracked|ctNew, ctTracked|ctNew), ethType(ethIPv4)), ReasonExhausted)
	// Not all that is tracked is translated: a connection that was begun without, and
	// protocols that the datapath knows no ports of. They would leak.
	b.add(TableTracked, 1, match(network(b.At.VNI)))
	ext := outside(b.number)
	narrow, _ := b.mtus()
	for _, a := range b.At.Addresses {
		translated := match(network(b.At.VNI), ethType(ethIPv4), openflow.IPv4Src.Addr(a))
		b.goTo(TableTracked, 100, with(translated, ctState(ctTracked, ctTracked|ctInvalid)), TableNextHop, b.ahead()...)
		b.goTo(TableTracked, 100, with(translated, translatedAnyway...), TableNextHop, b.ahead()...)
		b.asked(ext, a, b.at.MAC, toGroup(b.Gateway, b.index, GroupGate))
		m := match(ext, ethType(ethIPv4), openflow.IPv4Dst.Addr(a))
		b.enter(m, 100, b.id, narrow, b.External.Allocated.MTU, a)
		b.add(TableTranslate, 100, m, openflow.CT{Zone: zone, Table: TableReturn, NAT: openflow.NAT{Kind: openflow.NATKnown}})
	}
}

// returns sorts what connection tracking has seen of what comes back.
func (b *gatewayBuilder) returns() {
	// An error about what happens to it now would tell outsiders the address inside.
	silent := actions(set(RegSource4.Uint(0)))
	zone := openflow.CTZone.Uint(uint64(b.At.Zone)) // a router can have several gateways
	for _, s := range b.Services {
		if s.Allocated.InsideAddress == s.Spec.Address {
			continue
		}
		for _, sp := range s.Spec.Ports {
			p := servicePort(sp)
			from := match(zone, ethType(ethIPv4), openflow.IPv4Src.Addr(s.Spec.Address), p.proto(), p.source())
			for _, answer := range []openflow.Match{established, revertedAnyway} {
				next, steer := inside(b.Chained)
				a := append(silent[:1:1], set(openflow.IPv4Src.Addr(s.Allocated.InsideAddress)))
				b.goTo(TableReturn, 120, with(from, answer...), next, append(a, steer...)...)
			}
		}
	}
	for _, answer := range append(answers(), revertedAnyway) {
		b.goTo(TableReturn, 100, with(match(zone), answer...), TableArrive, silent...)
	}
	b.toController(TableReturn, 60, MeterStray, match(zone, flagged(FlagAsked), ethType(ethIPv4), openflow.IPProto.Uint(protoTCP)), ReasonStray)
	b.add(TableReturn, 50, match(zone, flagged(FlagAsked)))
	b.add(TableReturn, 40, match(zone), toGroup(b.Gateway, b.index, GroupAsk))
}
