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
	TableAntiSpoof   uint8 = 10
	TableResolve     uint8 = 20
	TableARPReply    uint8 = 21
	TableNDReply     uint8 = 22
	TableNDReplyEnd  uint8 = 23
	TableAdmit       uint8 = 30
	TableRoute       uint8 = 40
	TableNeighbour   uint8 = 50
	TableRouted      uint8 = 55
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
	return []Table{
		{
			TableClassify, "classify",
			"Where does the packet come from? A local endpoint's port gives it the VNI of its network in reg0; a packet from the tunnel brings its VNI along.",
			f(openflow.InPort, openflow.VLANVID, openflow.TunID, openflow.TunIPv4Src, openflow.TunIPv6Src, openflow.EthType),
			to(TableAntiSpoof, TableForward),
			"drop: the port belongs to no endpoint",
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
			f(openflow.Reg1, openflow.EthType, openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPProto, openflow.IPTTL,
				openflow.ICMPv4Type, openflow.ICMPv4Code, openflow.ICMPv6Type, openflow.ICMPv6Code),
			to(TableNeighbour, TableRouted, TableICMPError),
			"network unreachable",
		},
		{
			TableNeighbour, "neighbour",
			"Which MAC has this address in this network? Asked by resolve and by route, and answered in eth_dst and the flags of reg2.",
			f(openflow.Reg0, openflow.Reg12, openflow.XXReg1),
			nil,
			"not found: the flags stay 0",
		},
		{
			TableRouted, "routed",
			"A routed packet whose next hop was found leaves with the gateway's MAC.",
			f(openflow.EthType, openflow.Reg2),
			to(TableForward, TableICMPError),
			"host unreachable",
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
			f(openflow.EthType, openflow.IPProto, openflow.IPFrag, openflow.ICMPv4Type, openflow.ICMPv6Type),
			nil,
			"to the controller",
		},
	}
}
