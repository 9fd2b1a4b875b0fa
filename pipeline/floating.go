package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Floating is a floating IP where it is translated: on the host of its endpoint, or
// on the hosts of its gateway.
type Floating struct {
	Address  netip.Addr
	MAC      topology.MAC // that it has outside
	External *topology.ExternalNetwork
	// Here says that it is on the endpoint's own host. Else Gate lets on what is for it
	// where the lane is.
	Here    bool
	Gate    uint32
	Targets []Target
	// Sources are the prefixes that may begin connections; empty means everybody.
	Sources []netip.Prefix
}

// Target is what stands behind a floating IP, or behind one of its ports.
type Target struct {
	topology.Target
	Router uint32              // the id of the router of the endpoint's network
	At     topology.Attachment // of that router, at the gateway
	MTU    int                 // of the endpoint's network
}

// port is the endpoint's port, outside that which stands for it.
func (t Target) port(outside bool) port {
	if outside {
		return port{t.Protocol, t.Port}
	}
	return port{t.Protocol, t.EndpointPort}
}

// FloatingMAC is the MAC that a floating IP has while it is on its endpoint's host: its
// own, so that only a port of the switches outside changes when the endpoint moves.
func FloatingMAC(x *topology.ExternalNetwork, a netip.Addr) topology.MAC {
	return topology.DerivedMAC(x.Metadata.Name, a.String())
}

// FloatingIP translates without state, so that failover and migration have nothing to lose.
func FloatingIP(f Floating) []openflow.Flow {
	b := floatingBuilder{Floating: f, ipFields: fieldsOf(f.Address), number: ExternalNumber(f.External)}
	b.reached()
	for _, t := range f.Targets {
		b.leaves(t)
		b.enters(t)
	}
	return b.flows
}

type floatingBuilder struct {
	builder
	Floating
	ipFields
	number uint32
}

// reached has the address answered for, and taken in.
func (b *floatingBuilder) reached() {
	ext := outside(b.number)
	if !b.Here {
		b.asked(ext, b.Address, b.MAC, openflow.ToGroup{ID: b.Gate})
		return
	}
	b.asked(ext, b.Address, b.MAC, openflow.Resubmit{Table: TableEnter})
	b.hear(ext, b.MAC)
	mac := openflow.EthDst.MAC(b.MAC)
	b.goTo(TableOutside, 100, match(ext, mac, ethType(b.eth)), TableEnter, set(b.source.Addr(b.Address)))
	b.add(TableToOutside, 100, match(ext, mac), turnRound(b.number, openflow.Resubmit{Table: TableOutside})...)
}

func (b *floatingBuilder) family() openflow.FieldValue { return ethType(b.eth) }

// leaves gives what a target sends the floating IP as its source.
func (b *floatingBuilder) leaves(t Target) {
	table := TableLeave
	if b.Here {
		table = TableDepart
	}
	m := match(network(t.At.VNI), b.family(), b.src.Addr(t.Inside))
	a := actions(set(b.src.Addr(b.Address)))
	priority := uint16(300)
	if t.Protocol != "" {
		m = with(m, t.port(false).proto(), t.port(false).source())
		a = append(a, set(t.port(true).source()))
		priority = 320
	}
	a = append(a, set(openflow.EthSrc.MAC(b.MAC)), set(outside(b.number)))
	if len(b.Sources) == 0 {
		b.goTo(table, priority, m, TableNextHop, a...)
	} else {
		// That it was the endpoint that began is remembered.
		b.add(table, priority, m, begin(uint16(t.At.Zone)))
		b.goTo(TableTracked, priority, m, TableNextHop, a...)
	}
	if b.Here {
		b.quotes(table, t.At.VNI, t.Inside)
		// What other hosts send here after a chain, see FloatingAway.
		b.goTo(TableClassify, 107, match(inPort(TunnelPort), openflow.TunID.Uint(uint64(t.At.VNI)), b.family(), b.src.Addr(t.Inside)), TableDepart,
			set(network(t.At.VNI)), clearInPort())
	}
}

// FloatingAway is a floating IP that is translated on the host of its endpoint, on hosts
// from which the endpoint's packets may leave behind a chain: they go to that host first.
func FloatingAway(f Floating, vtep netip.Addr) []openflow.Flow {
	var b builder
	for _, t := range f.Targets {
		from := fieldsOf(t.Inside)
		b.add(TableDepart, 290, match(network(t.At.VNI), ethType(from.eth), from.src.Addr(t.Inside)),
			clearInPort(), openflow.Move{Src: RegNetwork, Dst: openflow.TunID, NBits: 24}, set(tunDst(vtep)), openflow.Output{Port: TunnelPort})
	}
	return b.flows
}

// Quotes sends up the ICMP errors that an address inside sends by a router's attachment,
// on the gateway's hosts: once, however many floating IPs stand for ports of it there.
func Quotes(vni uint32, inside netip.Addr) []openflow.Flow {
	var b builder
	b.quotes(TableLeave, vni, inside)
	return b.flows
}

func (b *builder) quotes(table uint8, vni uint32, inside netip.Addr) {
	f := fieldsOf(inside)
	for _, typ := range quoting(inside) {
		b.toController(table, 330, MeterQuote, match(network(vni), ethType(f.eth), f.src.Addr(inside), openflow.IPProto.Uint(f.icmp), f.icmpType.Uint(typ)), ReasonLeaving)
	}
}

// quoting are the types of ICMP error, which quote the packet that they are about.
func quoting(family netip.Addr) []uint64 {
	if family.Is4() {
		return []uint64{3, 11, 12}
	}
	return []uint64{1, 2, 3, 4}
}

// enters gives what comes for the floating IP a target's address.
func (b *floatingBuilder) enters(t Target) {
	id := RegRouter.Uint(uint64(t.Router))
	to := match(outside(b.number), b.family(), b.dst.Addr(b.Address))
	a := actions(set(b.dst.Addr(t.Inside)))
	m := to
	if t.Protocol != "" {
		m = with(m, t.port(true).proto(), t.port(true).dest())
		a = append(a, set(t.port(false).dest()))
	}
	// An error about what happens to it now would tell outsiders the address inside.
	a = append(a, silence(b.source))
	b.enter(m, 100, id, t.MTU, b.External.Allocated.MTU, b.Address)
	for _, typ := range quoting(b.Address) {
		icmp := with(to, openflow.IPProto.Uint(b.icmp), b.icmpType.Uint(typ))
		if t.Protocol != "" {
			b.enter(icmp, 100, id, t.MTU, t.MTU, b.Address)
		}
		b.toController(TableTranslate, 200, MeterQuoteOutside, icmp, ReasonEntering)
	}
	if len(b.Sources) == 0 {
		b.goTo(TableTranslate, 100, m, TableArrive, a...)
		return
	}
	for _, s := range b.Sources {
		if s.Addr().Is4() == b.Address.Is4() {
			b.goTo(TableTranslate, 110, with(m, b.src.Prefix(s)), TableArrive, a...)
		}
	}
	b.add(TableTranslate, 100, m, append(a, raise(FlagAnswers), openflow.CT{Zone: uint16(t.At.Zone), Table: TableReturn})...)
}

// silence takes away the address from which ICMP errors would be sent.
func silence(source openflow.Field) openflow.Action {
	if source == RegSource4 {
		return set(source.Uint(0))
	}
	return set(source.Addr(netip.IPv6Unspecified()))
}
