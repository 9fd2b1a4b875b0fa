package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
)

// BaseSource is the source of the cookies of Base's flows.
const BaseSource = "Base"

// BaseMeters are the meters that Base's flows use.
func BaseMeters() []openflow.Meter {
	return []openflow.Meter{
		{ID: MeterICMP, Rate: 100, Burst: 50},
		{ID: MeterProbe, Rate: 2000, Burst: 1000},
		{ID: MeterHeard, Rate: 200, Burst: 200},
		{ID: MeterQuote, Rate: 100, Burst: 50},
		{ID: MeterStray, Rate: 100, Burst: 50},
		{ID: MeterResolve, Rate: 100, Burst: 50},
		{ID: MeterICMPOutside, Rate: 100, Burst: 50},
		{ID: MeterQuoteOutside, Rate: 100, Burst: 50},
	}
}

// Base is what every host has, whatever its endpoints: the static part of each
// table. encapIP is the host's own VTEP.
func Base(encapIP netip.Addr) []openflow.Flow {
	var b builder
	baseIngress(&b, encapIP)
	baseResolve(&b)
	baseRoute(&b)
	baseOutside(&b)
	baseChain(&b)
	baseForward(&b, encapIP)
	baseICMPError(&b)
	return b.flows
}

func baseIngress(b *builder, encapIP netip.Addr) {
	// Endpoints speak untagged; a tag would only blur what "ip" matches.
	b.add(TableClassify, 200, match(openflow.VLANVID.UintMask(0x1000, 0x1000)))
	// Nobody but this host sends from its VTEP, and this host never sends to itself.
	b.add(TableClassify, 150, match(inPort(TunnelPort), tunSrc(encapIP)))
	b.addFlow(openflow.Flow{
		Table: TableClassify, Priority: 120, Meter: MeterProbe,
		Match:   match(inPort(TunnelPort), openflow.TunID.Uint(ProbeVNI), openflow.EthType.Uint(ProbeEtherType)),
		Actions: actions(openflow.ToController{MaxLen: ProbeLen}),
	})
	b.add(TableClassify, 110, match(inPort(TunnelPort), openflow.TunID.Uint(ProbeVNI)))
	b.goTo(TableClassify, 100, match(inPort(TunnelPort)), TableForward,
		openflow.Move{Src: openflow.TunID, Dst: RegNetwork, NBits: 24})
	// Router advertisements and redirects are a router's; endpoints that send
	// them take over their neighbours' traffic (RFC 6105).
	b.add(TableAntiSpoof, 400, icmp6(134))
	b.add(TableAntiSpoof, 400, icmp6(137))
	// Open vSwitch does not look at the ICMPv6 type of fragments, so that neighbour
	// discovery would pass in them. Nobody may send or take it so (RFC 6980), and it
	// always has hop limit 255 (RFC 4861), which hardly anything else has.
	b.add(TableAntiSpoof, 400, match(ethType(ethIPv6), openflow.IPFrag.UintMask(1, 1), openflow.IPTTL.Uint(255)))
	// Where Open vSwitch gives up on extension headers, the hop limit is 0 to it, and
	// receivers may read on: Linux does if the payload length is 0 as in a jumbogram.
	b.add(TableAntiSpoof, 400, match(ethType(ethIPv6), openflow.IPTTL.Uint(0)))
}

func baseResolve(b *builder) {
	b.goTo(TableResolve, 100, match(ethType(ethARP), openflow.ARPOp.Uint(1)), TableARPReply,
		copyField(openflow.ARPTPA, RegNextHop4), openflow.Resubmit{Table: TableNeighbour})
	b.goTo(TableResolve, 90, match(ethType(ethARP), openflow.ARPOp.Uint(2)), TableForward)
	b.goTo(TableResolve, 100, icmp6(135), TableNDReply,
		copyField(openflow.NDTarget, RegNextHop6), openflow.Resubmit{Table: TableNeighbour})

	b.add(TableARPReply, 100, match(ethType(ethARP), flagged(FlagFound)),
		openflow.SetField{FieldValue: openflow.ARPOp.Uint(2)},
		copyField(openflow.ARPSHA, openflow.ARPTHA),
		copyField(openflow.EthDst, openflow.ARPSHA),
		copyField(openflow.ARPSPA, openflow.ARPTPA),
		copyField(RegNextHop4, openflow.ARPSPA),
		copyField(openflow.EthSrc, openflow.EthDst),
		copyField(openflow.ARPSHA, openflow.EthSrc),
		openflow.Output{Port: openflow.PortInPort})
	b.goTo(TableARPReply, 90, match(ethType(ethARP), flagged(FlagShared)), TableForward)

	b.goTo(TableNDReply, 100, append(icmp6(135), flagged(FlagFound)), TableNDReplyEnd,
		openflow.SetField{FieldValue: openflow.ICMPv6Type.Uint(136)},
		copyField(openflow.IPv6Src, openflow.IPv6Dst),
		copyField(RegNextHop6, openflow.IPv6Src))
	b.goTo(TableNDReply, 90, append(icmp6(135), flagged(FlagShared)), TableForward)
	// The flags of an advertisement (RFC 4861, 4.4): router, solicited, override.
	b.add(TableNDReplyEnd, 110, append(icmp6(136), flagged(FlagRouter)), advertise(0xe0000000)...)
	b.add(TableNDReplyEnd, 100, icmp6(136), advertise(0x60000000)...)
}

func advertise(flags uint64) []openflow.Action {
	return actions(
		openflow.SetField{FieldValue: openflow.NDOptionsType.Uint(2)},
		openflow.SetField{FieldValue: openflow.NDReserved.Uint(flags)},
		copyField(openflow.EthDst, openflow.NDTLL),
		copyField(openflow.EthSrc, openflow.EthDst),
		copyField(openflow.NDTLL, openflow.EthSrc),
		openflow.Output{Port: openflow.PortInPort})
}

func baseRoute(b *builder) {
	b.goTo(TableAdmit, 0, nil, TableForward)
	// RFC 1812, 5.3.1; RFC 4443, 3.3.
	for _, ttl := range []uint64{0, 1} {
		b.icmpError(TableRoute, prioTTL, match(ethType(ethIPv4), openflow.IPTTL.Uint(ttl)), 11, 0)
		b.icmpError(TableRoute, prioTTL, match(ethType(ethIPv6), openflow.IPTTL.Uint(ttl)), 3, 0)
	}
	// Link-local packets are never forwarded (RFC 4291, 2.5.6).
	b.add(TableRoute, prioLinkLocal, match(ethType(ethIPv6), openflow.IPv6Dst.Prefix(netip.MustParsePrefix("fe80::/10"))))
	b.icmpError(TableRoute, 1, match(ethType(ethIPv4)), 3, 0)
	b.icmpError(TableRoute, 1, match(ethType(ethIPv6)), 1, 0)

	b.goTo(TableRouted, 100, match(flagged(FlagFound)), TableForward,
		openflow.SetField{FieldValue: openflow.EthSrc.MAC(GatewayMAC)})
	b.icmpError(TableRouted, 1, match(ethType(ethIPv4)), 3, 1)
	b.icmpError(TableRouted, 1, match(ethType(ethIPv6)), 1, 3)
}

func baseForward(b *builder, encapIP netip.Addr) {
	group := openflow.EthDst.MACMask([6]byte{1}, [6]byte{1})
	b.goTo(TableForward, 300, match(inPort(TunnelPort), group), TableFloodLocal)
	b.goTo(TableForward, 290, match(group), TableFloodRemote)
	// What came through a tunnel never goes into one: no loop can form while
	// hosts disagree about where an endpoint is.
	b.add(TableForward, prioTunnelStop, match(inPort(TunnelPort)))
	b.goTo(TableFloodRemote, 0, nil, TableFloodLocal)
	b.add(TableTunnelOut, 100, match(tunDst(encapIP)))
	b.add(TableTunnelOut, 0, nil, openflow.Output{Port: TunnelPort})
}

func baseICMPError(b *builder) {
	// Never about an ICMP error, nor about a fragment but the first (RFC 1122,
	// 3.2.2; RFC 4443, 2.4e).
	for _, typ := range []uint64{3, 4, 5, 11, 12} {
		b.add(TableICMPError, 100, match(ethType(ethIPv4), openflow.IPProto.Uint(protoICMP), openflow.ICMPv4Type.Uint(typ)))
	}
	for _, typ := range []uint64{1, 2, 3, 4, 137} {
		b.add(TableICMPError, 100, icmp6(typ))
	}
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		b.add(TableICMPError, 110, match(ethType(eth), openflow.IPFrag.UintMask(2, 2)))
	}
	toController := actions(openflow.ToController{MaxLen: packet.QuotedLen})
	b.addFlow(openflow.Flow{Table: TableICMPError, Priority: 0, Meter: MeterICMP, Actions: toController})
	b.addFlow(openflow.Flow{Table: TableICMPError, Priority: 10, Meter: MeterICMPOutside, Match: match(fromOutside), Actions: toController})
}
