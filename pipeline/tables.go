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
	TableEmit        uint8 = 8
	TableGeneration  uint8 = 9
	TableAntiSpoof   uint8 = 10
	TableResolve     uint8 = 20
	TableARPReply    uint8 = 21
	TableNDReply     uint8 = 22
	TableNDReplyEnd  uint8 = 23
	TableScope       uint8 = 24
	TableFromInside  uint8 = 25
	TableToInside    uint8 = 26
	TableSteer       uint8 = 27
	TableDirection   uint8 = 28
	TableUnsteered   uint8 = 29
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
	TableEncap       uint8 = 62
	TableFloodRemote uint8 = 70
	TableFloodLocal  uint8 = 71
	TableFloodPage   uint8 = 72
	TableTunnelOut   uint8 = 80
	TableICMPError   uint8 = 90
	TableBegin       uint8 = 99
	TableNext        uint8 = 100
	TablePinned      uint8 = 101
	TableHop         uint8 = 102
	TableChoose      uint8 = 103
	TableShare       uint8 = 104
	TablePin         uint8 = 105
	TableArrival     uint8 = 106
	TableBefore      uint8 = 107
	TableLanding     uint8 = 108
	TableRecalled    uint8 = 109
	TableReceive     uint8 = 110
	TableShareHere   uint8 = 111
	TableAccept      uint8 = 112
	TableDeliver     uint8 = 113
	TableSend        uint8 = 114
	TableOut         uint8 = 115
	TableFailed      uint8 = 116
	TableEnd         uint8 = 117
	TableOnward      uint8 = 118
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
			"Where does the packet come from? A local endpoint's port gives it the VNI of its network in reg0; a packet from the tunnel brings its VNI along. A gateway host passes what leaves by a lane on to the host that carries it, once: with a source MAC by which that one knows it. Answers of service functions to questions go to the controller.",
			f(openflow.InPort, openflow.VLANVID, openflow.TunID, openflow.TunIPv4Src, openflow.TunIPv6Src, openflow.EthSrc, openflow.EthDst, openflow.EthType, openflow.IPProto, openflow.UDPDst, openflow.IPv4Src, openflow.IPv6Src, openflow.ICMPv6Type,
				openflow.IPv4Dst, openflow.IPv6Dst, openflow.ICMPv4Type, openflow.TCPSrc, openflow.TCPDst, openflow.ARPOp, openflow.ARPSPA, openflow.ARPTPA, openflow.NDTarget),
			to(TableOutside, TableEnter, TableEmit, TableAntiSpoof, TableFromInside, TableToInside, TableDepart, TableLeave, TableForward, TableArrival),
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
			to(TableArrive, TableToInside, TableSteer, TableRoute),
			"drop",
		},
		{
			TableArrive, "arrive",
			"A packet from outside, with its address inside, enters the router of reg1; not if it says that it comes from inside.",
			f(openflow.Reg1, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src),
			to(TableToInside, TableSteer, TableRoute),
			"drop",
		},
		{
			TableEmit, "emit",
			"What an instance of a service function gives back goes on in its chain. Which one that is, and in which direction, the instance's port says, its tag, or the packet's headers.",
			append(f(openflow.Reg4, openflow.Reg6, openflow.Reg1, openflow.Reg2, openflow.VLANVID, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto, openflow.IPFrag, openflow.ConjID), ports...),
			to(TableGeneration, TableAntiSpoof, TableNext, TableEnd),
			"drop: no chain leads here",
		},
		{
			TableGeneration, "generation",
			"While a chain changes its way, packets that are given back go on by the way by which their connection came.",
			f(openflow.Metadata, openflow.CTLabel),
			to(TableNext, TableEnd),
			"drop",
		},
		{
			TableAntiSpoof, "anti-spoof",
			"A local endpoint may send only from its own MAC and addresses, and from its allowed addresses. What it may not send is dropped and counted by a flow of its own.",
			f(openflow.InPort, openflow.EthSrc, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.ARPSPA, openflow.ARPTPA, openflow.ARPSHA,
				openflow.IPProto, openflow.IPTTL, openflow.IPFrag, openflow.ICMPv6Type, openflow.NDTarget, openflow.NDSLL, openflow.NDTLL),
			to(TableResolve, TableScope, TableAdmit),
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
			TableScope, "scope",
			"Which router's chains may the packet be in? What is for many, or sent by an instance of a service function as itself, is in none.",
			f(openflow.Reg0, openflow.Reg2, openflow.EthDst, openflow.EthType, openflow.IPv6Dst),
			to(TableFromInside, TableToInside, TableSteer, TableUnsteered),
			"goto unsteered",
		},
		{
			TableFromInside, "from-inside",
			"Is the source in the router's networks, and in which one?",
			f(openflow.Reg1, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src),
			nil,
			"no",
		},
		{
			TableToInside, "to-inside",
			"Is the destination in the router's networks, and in which one?",
			f(openflow.Reg1, openflow.EthType, openflow.IPv4Dst, openflow.IPv6Dst),
			nil,
			"no",
		},
		{
			TableSteer, "steer",
			"The classifiers of the router's chains, the highest priority first, in both directions.",
			append(f(openflow.Reg1, openflow.Reg2, openflow.EthType, openflow.IPv4Src, openflow.IPv6Src, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto, openflow.IPFrag, openflow.ConjID), ports...),
			to(TableDirection, TableUnsteered, TableBegin),
			"goto unsteered",
		},
		{
			TableDirection, "direction",
			"Where headers do not say it, connection tracking does: is the packet an answer?",
			f(openflow.Metadata, openflow.CTState),
			to(TableUnsteered, TableBegin),
			"drop",
		},
		{
			TableUnsteered, "unsteered",
			"In no chain: on to be admitted, or routed if it comes from outside.",
			f(openflow.Reg14),
			to(TableAdmit, TableRoute),
			"goto admit",
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
			to(TableEncap, TableFloodRemote, TableFloodLocal),
			"drop: unknown unicast is not flooded",
		},
		{
			TableEncap, "encap",
			"To the host of an endpoint, with the VNI of its network; or, behind a chain, with that of the chain's end, by which the host knows where the packet comes from.",
			f(openflow.Metadata),
			nil,
			"output to the tunnel port",
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
		{
			TableBegin, "begin",
			"A packet enters a chain. One from outside gets MACs of ours.",
			f(openflow.Reg14),
			to(TableNext),
			"goto next",
		},
		{
			TableNext, "next",
			"On to the hop of metadata: copies to a tap, to the only instance of a function, or to that which connection tracking knows for this connection.",
			f(openflow.Metadata, openflow.EthType),
			to(TableNext, TablePinned, TableHop, TableFailed, TableEnd),
			"drop",
		},
		{
			TablePinned, "pinned",
			"Which instance does the connection use? ct_label says it for each hop.",
			f(openflow.Metadata),
			to(TableHop),
			"drop",
		},
		{
			TableHop, "hop",
			"To the instance of reg5 of the function of reg4: a group knows where it is, and whether it lives.",
			f(openflow.Reg4, openflow.Reg5),
			to(TableChoose),
			"goto choose: there is no such instance",
		},
		{
			TableChoose, "choose",
			"The connection needs an instance: is there one that lives?",
			f(openflow.Reg2, openflow.Reg4),
			to(TableFailed),
			"drop",
		},
		{
			TableShare, "share",
			"A group chooses one of those that live, by their weights.",
			f(openflow.Reg4),
			nil,
			"drop",
		},
		{
			TablePin, "pin",
			"The connection stays with the instance that was chosen.",
			f(openflow.Metadata, openflow.Reg5, openflow.EthType),
			to(TableHop),
			"drop",
		},
		{
			TableArrival, "arrival",
			"From another host, at a hop of a chain or behind its last one.",
			f(openflow.Metadata),
			to(TableBefore, TableLanding, TableAccept, TableToInside),
			"drop: this host knows no such chain",
		},
		{
			TableBefore, "before",
			"Which instance of the function before is on the host that the packet comes from?",
			f(openflow.Reg7, openflow.TunIPv4Src, openflow.TunIPv6Src),
			nil,
			"not known",
		},
		{
			TableLanding, "landing",
			"Is an instance of the function here? Where several are, connection tracking knows which one a packet comes back to.",
			f(openflow.Metadata, openflow.Reg4, openflow.Reg5, openflow.EthType),
			to(TableRecalled, TableReceive, TableHop, TableFailed),
			"as the fail mode says",
		},
		{
			TableRecalled, "recalled",
			"What connection tracking knows of the instance.",
			f(openflow.Metadata, openflow.CTLabel),
			to(TableReceive),
			"drop",
		},
		{
			TableReceive, "receive",
			"To the instance of reg5 here, to any one here if that is left open, or once more to another host.",
			f(openflow.Reg4, openflow.Reg5),
			to(TableHop),
			"drop",
		},
		{
			TableShareHere, "share-here",
			"A group chooses one of the instances here.",
			f(openflow.Reg4),
			nil,
			"drop",
		},
		{
			TableAccept, "accept",
			"The packet is on the host of its instance, or of its destination: connection tracking notes where it comes from, and which instance it uses. It gets the chain's tag, if the function has tags.",
			f(openflow.Metadata, openflow.Reg2, openflow.Reg5, openflow.EthType),
			to(TableForward, TableDeliver),
			"drop",
		},
		{
			TableDeliver, "deliver",
			"Out of the port of the instance.",
			f(openflow.Metadata, openflow.Reg4, openflow.Reg5),
			nil,
			"drop",
		},
		{
			TableSend, "send",
			"Into the tunnel, with the position as VNI.",
			f(openflow.Reg2),
			nil,
			"output to the tunnel port",
		},
		{
			TableOut, "out",
			"An instance with two ports lives if both do.",
			f(openflow.Reg4, openflow.Reg5),
			nil,
			"drop",
		},
		{
			TableFailed, "failed",
			"No instance can take the packet: it skips the function, or is dropped and counted.",
			f(openflow.Metadata),
			to(TableNext, TableEnd),
			"drop",
		},
		{
			TableEnd, "end",
			"Behind the last function: back into the network of its source.",
			f(openflow.Metadata),
			to(TableFromInside, TableOnward),
			"drop",
		},
		{
			TableOnward, "onward",
			"On as if it had not been in a chain; what is from outside is routed.",
			f(openflow.Reg0),
			to(TableRoute, TableAdmit),
			"goto admit",
		},
	}
}
