package pipeline

import "github.com/dovetail-sdn/dovetail/openflow"

// Table is the declaration of one flow table. Flows that break it (a field that
// is not declared, a jump that is not declared) are rejected by Check.
type Table struct {
	Number  uint8
	Name    string
	Purpose string
	// Matches are the fields that flows of the table may match.
	Matches []openflow.Field
	// Next are the tables that flows may go or resubmit to.
	Next []uint8
	// Miss says what happens to a packet that no flow matches.
	Miss string
}

// The tables, in the order of a packet's way.
const (
	TableClassify    uint8 = 0
	TableOutside     uint8 = 2
	TableEnter       uint8 = 4
	TableTranslate   uint8 = 5
	TableReturn      uint8 = 6
	TableArrive      uint8 = 7
	TableAntiSpoof   uint8 = 10
	TableResolve     uint8 = 20
	TableARPReply    uint8 = 21
	TableNDReply     uint8 = 22
	TableNDReplyEnd  uint8 = 23
	TableAdmit       uint8 = 30
	TableRoute       uint8 = 40
	TableDepart      uint8 = 42
	TableLeave       uint8 = 43
	TableTracked     uint8 = 44
	TableNextHop     uint8 = 46
	TableNeighbour   uint8 = 50
	TableResolved    uint8 = 51
	TableAnswer      uint8 = 52
	TableAdvertise   uint8 = 53
	TableToOutside   uint8 = 54
	TableRouted      uint8 = 55
	TableWire        uint8 = 56
	TableForward     uint8 = 60
	TableFloodRemote uint8 = 70
	TableFloodLocal  uint8 = 71
	TableFloodPage   uint8 = 72
	TableTunnelOut   uint8 = 80
	TableICMPError   uint8 = 90
)

// Tables returns the declarations, in order of number.
func Tables() []Table {
	f := func(fields ...openflow.Field) []openflow.Field { return fields }
	to := func(tables ...uint8) []uint8 { return tables }
	icmp6 := f(openflow.EthType, openflow.IPProto, openflow.ICMPv6Type)
	ports := f(openflow.TCPSrc, openflow.TCPDst, openflow.UDPSrc, openflow.UDPDst)
	return []Table{
		{
			TableClassify, "classify",
			"Where does the packet come from? A local endpoint's port gives it the VNI of its network in reg0; a packet from the tunnel brings its VNI along. A gateway host passes what leaves by a lane on to the host that carries it, once: with a source MAC by which that one knows it.",
			f(openflow.InPort, openflow.VLANVID, openflow.TunID, openflow.TunIPv4Src, openflow.TunIPv6Src, openflow.EthSrc, openflow.EthDst, openflow.EthType, openflow.IPProto, openflow.UDPDst),
			to(TableOutside, TableEnter, TableAntiSpoof, TableLeave, TableForward),
			"drop: the port belongs to no endpoint",
		},
		{
			TableOutside, "outside",
			"A packet of an external network, whose number is in reg0: is it for a MAC or an address that is on this host? Who asks for an address of a lane is answered only where the lane is, which a group knows, its gate; what was sent to its MAC is taken in. Everything else on that network is dropped and counted.",
			f(openflow.Reg0, openflow.EthDst, openflow.EthType, openflow.ARPOp, openflow.ARPSPA, openflow.ARPTPA, openflow.ARPSHA, openflow.IPProto, openflow.IPTTL, openflow.ICMPv6Type, openflow.NDTarget),
			to(TableEnter),
			"drop",
		},
		{
			TableEnter, "enter",
			"To which router does a packet from outside go? Only what is declared gets in: floating IPs, answers to addresses of source NAT, networks that are routed without NAT.",
			append(f(openflow.Reg0, openflow.Reg2, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto, openflow.IPTTL,
				openflow.ICMPv4Type, openflow.ICMPv4Code, openflow.ICMPv6Type, openflow.ICMPv6Code), ports...),
			to(TableTranslate, TableAnswer, TableToOutside, TableWire, TableICMPError),
			"drop",
		},
		{
			TableTranslate, "translate",
			"The address outside becomes that of the endpoint: by a flow for a floating IP, by connection tracking for source NAT.",
			append(f(openflow.Reg0, openflow.Reg1, openflow.Reg2, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto, openflow.ICMPv4Type, openflow.ICMPv6Type), ports...),
			to(TableReturn, TableArrive, TableICMPError),
			"drop",
		},
		{
			TableReturn, "return",
			"What connection tracking says of a packet from outside. One outside the TCP window is let in all the same where its connection is known: the host may have missed some of it while another one carried the lane. One of a connection that is not known here may be known on another host of the gateway, which is asked; what nobody knows is dropped, and TCP is reset.",
			append(f(openflow.CTZone, openflow.Reg2, openflow.CTState, openflow.CTMark, openflow.EthType, openflow.IPv4Src, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto), ports...),
			to(TableArrive, TableRoute),
			"drop",
		},
		{
			TableArrive, "arrive",
			"A packet from outside, with its address inside, enters the router of reg1; not if it says that it comes from inside.",
			f(openflow.Reg1, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src),
			to(TableRoute),
			"drop",
		},
		{
			TableAntiSpoof, "anti-spoof",
			"A local endpoint may send only from its own MAC and addresses, and from its allowed addresses. What it may not send is dropped and counted by a flow of its own.",
			f(openflow.InPort, openflow.EthSrc, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.ARPSPA, openflow.ARPTPA, openflow.ARPSHA,
				openflow.IPProto, openflow.IPTTL, openflow.IPFrag, openflow.ICMPv6Type, openflow.NDTarget, openflow.NDSLL, openflow.NDTLL),
			to(TableResolve, TableAdmit),
			"drop",
		},
		{
			TableResolve, "resolve",
			"ARP requests and neighbour solicitations: look the asked address up in the neighbour table.",
			f(openflow.EthType, openflow.ARPOp, openflow.IPProto, openflow.ICMPv6Type),
			to(TableNeighbour, TableARPReply, TableNDReply, TableForward),
			"drop",
		},
		{
			TableARPReply, "arp-reply",
			"Turn an ARP request whose answer was found into the reply, and send it back.",
			f(openflow.EthType, openflow.Reg2),
			to(TableForward),
			"drop: nobody has the address",
		},
		{
			TableNDReply, "nd-reply",
			"Turn a neighbour solicitation whose answer was found into an advertisement.",
			append(icmp6, openflow.Reg2),
			to(TableNDReplyEnd, TableForward),
			"drop: nobody has the address",
		},
		{
			TableNDReplyEnd, "nd-reply-end",
			"Fill in the advertisement's own fields, which exist only once the packet is one, and send it back.",
			append(icmp6, openflow.Reg2),
			nil,
			"drop",
		},
		{
			TableAdmit, "admit",
			"A packet for the gateway's MAC is routed, if its network is joined to a router: reg1 says which one.",
			f(openflow.Reg0, openflow.EthDst, openflow.EthType),
			to(TableRoute, TableForward),
			"goto forward: the packet stays in its network",
		},
		{
			TableRoute, "route",
			"The router: answers for its own addresses, TTL, and the longest matching prefix.",
			append(f(openflow.Reg1, openflow.Reg14, openflow.EthType, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto, openflow.IPTTL,
				openflow.ICMPv4Type, openflow.ICMPv4Code, openflow.ICMPv6Type, openflow.ICMPv6Code), ports...),
			to(TableDepart, TableNeighbour, TableToOutside, TableRouted, TableICMPError),
			"network unreachable",
		},
		{
			TableDepart, "depart",
			"A packet for the outside, with the VNI of its router's way out in reg0: straight out of this host, if its source has a floating IP here, else to the host that carries the gateway now, which a group of that lane knows.",
			append(f(openflow.Reg0, openflow.Reg2, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPProto, openflow.ICMPv4Type, openflow.ICMPv6Type), ports...),
			to(TableTracked, TableNextHop, TableICMPError),
			"drop",
		},
		{
			TableLeave, "leave",
			"On a gateway host: the source becomes a floating IP, an address of source NAT, or stays as it is where the network is routed. Everything else would leak an address and is dropped and counted.",
			append(f(openflow.Reg0, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPProto, openflow.ICMPv4Type, openflow.ICMPv6Type), ports...),
			to(TableTracked, TableNextHop),
			"drop",
		},
		{
			TableTracked, "tracked",
			"What connection tracking made of a packet that leaves. One that could not be translated does not.",
			append(f(openflow.Reg0, openflow.CTState, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPProto), ports...),
			to(TableNextHop),
			"drop",
		},
		{
			TableNextHop, "next-hop",
			"Which machine of the external network of reg0 gets the packet: the destination itself, or a router.",
			f(openflow.Reg0, openflow.EthType, openflow.IPv4Dst, openflow.IPv6Dst),
			to(TableNeighbour, TableResolved),
			"drop: no next hop",
		},
		{
			TableNeighbour, "neighbour",
			"Which MAC has this address in this network? Asked by resolve and by route, and answered in eth_dst and the flags of reg2.",
			f(openflow.Reg0, openflow.Reg12, openflow.XXReg1),
			nil,
			"not found: the flags stay 0",
		},
		{
			TableResolved, "resolved",
			"A packet for the outside whose next hop's MAC is known goes on; else the controller asks for it. Metered.",
			f(openflow.EthType, openflow.Reg2),
			to(TableToOutside),
			"drop",
		},
		{
			TableAnswer, "answer",
			"Turn an ARP request or a neighbour solicitation from outside into its answer; eth_dst is the MAC that it asks for.",
			f(openflow.EthType, openflow.ARPOp, openflow.IPProto, openflow.ICMPv6Type, openflow.IPv6Src),
			to(TableAdvertise, TableWire),
			"drop",
		},
		{
			TableAdvertise, "advertise",
			"Fill in the advertisement's own fields.",
			icmp6,
			to(TableWire),
			"drop",
		},
		{
			TableToOutside, "to-outside",
			"A packet for a MAC outside that is on this very host turns round, one for a lane goes where the lane is; others go on to the wire. Nobody may send BFD to a lane, which goes through tunnels that have BFD of their own.",
			f(openflow.Reg0, openflow.EthDst, openflow.EthType, openflow.IPProto, openflow.UDPDst),
			to(TableOutside, TableWire),
			"goto wire",
		},
		{
			TableRouted, "routed",
			"A routed packet whose next hop was found leaves with the gateway's MAC.",
			f(openflow.EthType, openflow.Reg2),
			to(TableForward, TableICMPError),
			"host unreachable",
		},
		{
			TableWire, "wire",
			"Out to the physical network, with the tag of the external network of reg0.",
			f(openflow.Reg0),
			nil,
			"drop: this host is not connected to it",
		},
		{
			TableForward, "forward",
			"Deliver by MAC within the network: to a local port, or through the tunnel to the host of the endpoint.",
			f(openflow.InPort, openflow.Reg0, openflow.EthDst),
			to(TableFloodRemote, TableFloodLocal),
			"drop: unknown unicast is not flooded",
		},
		{
			TableFloodRemote, "flood-remote",
			"A copy of a broadcast or multicast for every host that has members of the network.",
			f(openflow.Reg0, openflow.Reg3),
			to(TableTunnelOut, TableFloodRemote, TableFloodLocal),
			"goto flood-local",
		},
		{
			TableFloodLocal, "flood-local",
			"A copy of a broadcast or multicast for every local port of the network but the one it came from.",
			f(openflow.Reg0),
			to(TableFloodPage),
			"drop",
		},
		{
			TableFloodPage, "flood-page",
			"Where a host has many ports of a network, flood-local calls them page by page, so that one more port changes one page.",
			f(openflow.Reg0, openflow.Reg3),
			nil,
			"drop",
		},
		{
			TableTunnelOut, "tunnel-out",
			"Into the tunnel, unless the tunnel would end on this very host.",
			f(openflow.TunIPv4Dst, openflow.TunIPv6Dst),
			nil,
			"output to the tunnel port",
		},
		{
			TableICMPError, "icmp-error",
			"Packets that a router answers with an ICMP error, which the controller writes; reg3 has type and code. Metered.",
			f(openflow.Reg14, openflow.EthType, openflow.IPProto, openflow.IPFrag, openflow.ICMPv4Type, openflow.ICMPv6Type),
			nil,
			"to the controller",
		},
	}
}
