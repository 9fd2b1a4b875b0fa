package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// externalBit sets the numbers of external networks apart from VNIs, which have 24 bits.
const externalBit = 1 << 24

// ExternalNumber is what stands in RegNetwork and RegExternal for the external network.
func ExternalNumber(x *topology.ExternalNetwork) uint32 { return externalBit | x.Allocated.ID }

func outside(number uint32) openflow.FieldValue { return RegNetwork.Uint(uint64(number)) }

// Hops are the next hops to the rest of the world that are used now; the zero Addr
// for none.
type Hops struct{ IPv4, IPv6 netip.Addr }

// External is an external network as every host that sends there sees it: which
// machine on it gets a packet.
func External(x *topology.ExternalNetwork, hops Hops) []openflow.Flow {
	var b builder
	ext := outside(ExternalNumber(x))
	for _, s := range x.Spec.Subnets {
		f := fieldsOf(s.CIDR.Addr())
		m := match(ext, ethType(f.eth))
		b.nextHop(with(m, f.dst.Prefix(s.CIDR)), uint16(prioRouteFirst+2*s.CIDR.Bits()), copyField(f.dst, f.hop))
		if s.CIDR.Addr().Is4() {
			b.add(TableNextHop, prioLinkLocal, with(m, f.dst.Addr(lastOf(s.CIDR)))) // the subnet's broadcast address
		}
	}
	for _, hop := range []netip.Addr{hops.IPv4, hops.IPv6} {
		if hop.IsValid() {
			f := fieldsOf(hop)
			b.nextHop(match(ext, ethType(f.eth)), prioRouteFirst, set(f.hop.Addr(hop)))
		}
	}
	// What nothing above asked for is dropped by flows of its own, so that it is counted.
	b.add(TableOutside, 1, match(ext))
	b.add(TableEnter, 1, match(ext))
	b.add(TableNextHop, 1, match(ext))
	return b.flows
}

func (b *builder) nextHop(m openflow.Match, priority uint16, choose openflow.Action) {
	b.goTo(TableNextHop, priority, m, TableResolved, choose, openflow.Resubmit{Table: TableNeighbour})
}

// lastOf is the highest IPv4 address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}

// ExternalLocal is an external network on one host that has a patch port to it.
func ExternalLocal(x *topology.ExternalNetwork, patch uint32) []openflow.Flow {
	var b builder
	number := ExternalNumber(x)
	in := actions(set(outside(number)), set(RegExternal.Uint(uint64(number))))
	if tag := uint64(x.Spec.VLAN); tag == 0 {
		b.goTo(TableClassify, 100, match(inPort(patch)), TableOutside, in...)
		b.add(TableWire, 100, match(outside(number)), clearInPort(), openflow.Output{Port: patch})
	} else {
		vid := openflow.VLANVID.Uint(tagged | tag)
		b.goTo(TableClassify, 210, match(inPort(patch), vid), TableOutside, append(actions(openflow.PopVLAN{}), in...)...)
		b.add(TableWire, 100, match(outside(number)), clearInPort(), openflow.PushVLAN{}, set(vid), openflow.Output{Port: patch})
	}
	return b.flows
}

// tagged is the bit of vlan_vid that says that there is a tag.
const tagged = 0x1000

// Neighbour is a machine outside whose MAC is known: who sends to its address finds
// it, and the controller hears when it says that its MAC is another one.
func Neighbour(number uint32, a netip.Addr, mac topology.MAC) []openflow.Flow {
	var b builder
	b.neighbour(number, 100, a, mac)
	if a.Is4() {
		says := match(outside(number), ethType(ethARP), openflow.ARPSPA.Addr(a))
		b.add(TableOutside, 110, with(says, openflow.ARPSHA.MAC(mac)))
		b.toController(TableOutside, 105, MeterHeard, says, ReasonHeard)
	}
	return b.flows
}

func (b *builder) neighbour(number uint32, priority uint16, a netip.Addr, mac topology.MAC) {
	b.add(TableNeighbour, priority, match(outside(number), nextHop(a)), set(openflow.EthDst.MAC(mac)), raise(FlagFound))
}

// OwnAddress is an address of ours on an external network: who sends to it needs not
// ask for its MAC, whatever machine outside claims it or did so before it was ours.
func OwnAddress(number uint32, a netip.Addr, mac topology.MAC) []openflow.Flow {
	var b builder
	b.neighbour(number, 110, a, mac)
	return b.flows
}

// baseOutside is the static part of the tables for the outside.
func baseOutside(b *builder) {
	b.goTo(TableEnter, 1300, match(flagged(FlagAnswer)), TableAnswer)
	b.goTo(TableEnter, 1300, match(flagged(FlagAnnounce)), TableWire)
	for _, ttl := range []uint64{0, 1} {
		b.icmpError(TableEnter, prioTTL, match(ethType(ethIPv4), openflow.IPTTL.Uint(ttl)), 11, 0)
		b.icmpError(TableEnter, prioTTL, match(ethType(ethIPv6), openflow.IPTTL.Uint(ttl)), 3, 0)
	}
	// The error's type, code and MTU are in the register already.
	b.goTo(TableTranslate, 1000, match(flagged(FlagLarge)), TableICMPError)
	b.goTo(TableDepart, 1000, match(flagged(FlagLarge)), TableICMPError)
	// Here, not at gateways: floating IPs are also on hosts that carry none.
	for _, answer := range answers() {
		b.goTo(TableReturn, 150, with(match(flagged(FlagAnswers)), answer...), TableArrive)
	}
	b.add(TableReturn, 140, match(flagged(FlagAnswers)))
	// Nobody is asked about these: the tunnels to those who could be have BFD sessions,
	// and Open vSwitch takes all BFD packets that come out of them for the sessions'
	// own. Whoever is outside could say that hosts are dead.
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		b.add(TableReturn, 45, match(ethType(eth), openflow.IPProto.Uint(protoUDP), openflow.UDPDst.Uint(bfdPort)))
	}
	baseNextHop(b)
	baseAnswer(b)
	b.goTo(TableToOutside, 0, nil, TableWire)
}

// neverOutside are sources and destinations that no router forwards (RFC 1812, 4.2.2.11
// and 5.3.7; RFC 6890; RFC 4291).
var neverOutside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

func baseNextHop(b *builder) {
	for _, p := range neverOutside {
		f := fieldsOf(p.Addr())
		b.add(TableNextHop, prioLinkLocal, match(ethType(f.eth), f.dst.Prefix(p)))
		b.add(TableArrive, prioLinkLocal, match(ethType(f.eth), f.src.Prefix(p)))
	}
	b.goTo(TableResolved, 100, match(flagged(FlagFound)), TableToOutside)
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		b.toController(TableResolved, 1, MeterResolve, match(ethType(eth)), ReasonResolve)
	}
}

// baseAnswer answers for our addresses outside. eth_dst is the MAC already.
func baseAnswer(b *builder) {
	b.goTo(TableAnswer, 100, match(ethType(ethARP), openflow.ARPOp.Uint(1)), TableWire,
		set(openflow.ARPOp.Uint(2)),
		copyField(openflow.ARPSHA, openflow.ARPTHA),
		copyField(openflow.EthDst, openflow.ARPSHA),
		copyField(openflow.ARPTPA, RegNextHop4),
		copyField(openflow.ARPSPA, openflow.ARPTPA),
		copyField(RegNextHop4, openflow.ARPSPA),
		copyField(openflow.EthSrc, openflow.EthDst),
		copyField(openflow.ARPSHA, openflow.EthSrc))
	// Who looks for duplicates of an address of ours will not hear of it here.
	b.add(TableAnswer, 110, with(icmp6(135), openflow.IPv6Src.Addr(netip.IPv6Unspecified())))
	b.goTo(TableAnswer, 100, icmp6(135), TableAdvertise,
		set(openflow.ICMPv6Type.Uint(136)),
		copyField(openflow.IPv6Src, openflow.IPv6Dst),
		copyField(openflow.NDTarget, openflow.IPv6Src))
	b.goTo(TableAdvertise, 100, icmp6(136), TableWire,
		set(openflow.NDOptionsType.Uint(2)),
		set(openflow.NDReserved.Uint(0xe0000000)), // router, solicited, override (RFC 4861, 4.4)
		copyField(openflow.EthDst, openflow.NDTLL),
		copyField(openflow.EthSrc, openflow.EthDst),
		copyField(openflow.NDTLL, openflow.EthSrc))
}
