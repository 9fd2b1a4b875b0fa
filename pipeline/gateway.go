package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Gateway is a gateway as all its hosts see it: what is for its lanes' MACs and addresses.
func Gateway(g *topology.Gateway, x *topology.ExternalNetwork) []openflow.Flow {
	var b builder
	number := ExternalNumber(x)
	ext := outside(number)
	for i, lane := range g.Allocated.Lanes {
		mac := openflow.EthDst.MAC(lane.MAC)
		gate := toGroup(g, i, GroupGate)
		source := sources(lane)
		for _, eth := range []uint64{ethIPv4, ethIPv6} {
			// Whether or not the lane is here: switches outside learn later than a host that it
			// has moved, and every host of the gateway can take in what they still send.
			b.goTo(TableOutside, 100, match(ext, mac, ethType(eth)), TableEnter, source...)
		}
		b.hear(ext, lane.MAC)
		b.add(TableToOutside, 100, match(ext, mac), turnRound(number, toGroup(g, i, GroupTurn))...)
		for _, eth := range []uint64{ethIPv4, ethIPv6} {
			b.add(TableToOutside, 110, match(ext, mac, ethType(eth), openflow.IPProto.Uint(protoUDP), openflow.UDPDst.Uint(bfdPort)))
		}
		for _, a := range lane.Addresses {
			b.asked(ext, a, lane.MAC, gate)
			b.echoOutside(TableEnter, match(ext), a)
			b.add(TableEnter, prioOwn, match(ext, ethType(fieldsOf(a).eth), fieldsOf(a).dst.Addr(a)))
		}
	}
	return b.flows
}

// sources keeps a lane's own addresses for ICMP errors.
func sources(l topology.Lane) []openflow.Action {
	var a []openflow.Action
	for _, addr := range l.Addresses {
		a = append(a, set(fieldsOf(addr).source.Addr(addr)))
	}
	return a
}

// turnRound is for a packet that this host has sent to a MAC which is its own.
func turnRound(number uint32, next openflow.Action) []openflow.Action {
	return actions(clearInPort(), set(RegFlags.Uint(0)), set(RegExternal.Uint(uint64(number))), next)
}

// onLink matches neighbour discovery that no router has passed on (RFC 4861, 7.1).
var onLink = openflow.IPTTL.Uint(255)

// hear tells the controller of answers to what a MAC of ours has asked.
func (b *builder) hear(ext openflow.FieldValue, mac topology.MAC) {
	dst := openflow.EthDst.MAC(mac)
	b.toController(TableOutside, 200, MeterHeard, match(ext, dst, ethType(ethARP), openflow.ARPOp.Uint(2)), ReasonHeard)
	b.toController(TableOutside, 200, MeterHeard, with(icmp6(136), ext, dst, onLink), ReasonHeard)
}

// asked has ARP requests and neighbour solicitations for an address answered with a
// MAC, if next lets them on to enter.
func (b *builder) asked(ext openflow.FieldValue, a netip.Addr, mac topology.MAC, next openflow.Action) {
	m := with(icmp6(135), ext, onLink)
	if a.Is4() {
		m = match(ext, ethType(ethARP), openflow.ARPOp.Uint(1), openflow.ARPTPA.Addr(a))
	} else {
		m = with(m, openflow.NDTarget.Addr(a))
	}
	b.add(TableOutside, 300, m, set(openflow.EthDst.MAC(mac)), raise(FlagAnswer), next)
}

// echoOutside answers echo requests from outside to an address of ours.
func (b *builder) echoOutside(table uint8, from openflow.Match, a netip.Addr) {
	f := fieldsOf(a)
	m := with(from, ethType(f.eth), f.dst.Addr(a), openflow.IPProto.Uint(f.icmp))
	reply := openflow.ICMPv6Type.Uint(129)
	if a.Is4() {
		m, reply = with(m, openflow.ICMPv4Type.Uint(8), openflow.ICMPv4Code.Uint(0)), openflow.ICMPv4Type.Uint(0)
	} else {
		m = with(m, openflow.ICMPv6Type.Uint(128), openflow.ICMPv6Code.Uint(0))
	}
	b.goTo(table, prioEcho, m, TableToOutside,
		copyField(f.src, f.dst), set(f.src.Addr(a)), set(reply), set(openflow.IPTTL.Uint(64)),
		openflow.Move{Src: openflow.EthDst, Dst: RegScratch, NBits: 48},
		copyField(openflow.EthSrc, openflow.EthDst),
		openflow.Move{Src: RegScratch, Dst: openflow.EthSrc, NBits: 48})
}

// LaneHere is a lane of a gateway that a host carries or would take over.
type LaneHere struct {
	Gateway  *topology.Gateway
	Lane     int
	External *topology.ExternalNetwork
}

// GatewayHost is what a host has that carries gateways: it shows that it lives to
// whoever watches it, shows where lanes are, and takes in what other hosts of the
// same gateways, peers, ask. It has HostGroups, too.
func GatewayHost(lanes []LaneHere, peers []Carrier) []openflow.Flow {
	var b builder
	for _, p := range peers {
		b.reflect(match(openflow.TunID.Uint(PresenceVNI), tunSrc(p.VTEP)), sendBack(PresenceBackVNI)...)
		b.reflect(match(openflow.TunID.Uint(StandInVNI), tunSrc(p.VTEP)), openflow.ToGroup{ID: standInGroups + p.Link})
	}
	b.reflect(match(openflow.TunID.Uint(ProbeVNI)), openflow.ToGroup{ID: readyGroup})
	var ticks []openflow.Action
	for _, l := range lanes {
		number := uint64(ExternalNumber(l.External))
		lane := l.Gateway.Allocated.Lanes[l.Lane]
		ticks = append(ticks, l.ticks()...)
		for _, p := range peers {
			b.goTo(TableClassify, 100, match(inPort(p.Link), openflow.EthDst.MAC(lane.MAC)), TableEnter,
				append(actions(set(RegNetwork.Uint(number)), set(RegExternal.Uint(number)), raise(FlagAsked)), sources(lane)...)...)
		}
	}
	b.add(TableClassify, 100, match(inPort(TickPort)), ticks...)
	return b.flows
}

// ticks are a lane's. One goes to its own MAC, unless the host is cut off: it ends in the
// bridge to the outside, which learns that the lane is on this side, so that nothing is
// lost there if the lane comes. One to everybody shows switches outside where the lane
// is, where that may not be known. It is not sent while all hosts are there: one that has
// just stepped back takes in what still comes to it, and its bridge has to let that pass.
func (l LaneHere) ticks() []openflow.Action {
	mac := l.Gateway.Allocated.Lanes[l.Lane].MAC
	return actions(set(RegNetwork.Uint(uint64(ExternalNumber(l.External)))), set(openflow.EthSrc.MAC(mac)), set(openflow.EthDst.MAC(mac)),
		openflow.ToGroup{ID: wireGroup}, set(openflow.EthDst.MAC(broadcast)), toGroup(l.Gateway, l.Lane, GroupTick))
}

// Witness is what a host has that carries no gateway: by it, gateway hosts know that
// they are not cut off.
func Witness() []openflow.Flow {
	var b builder
	b.reflect(match(openflow.TunID.Uint(ProbeVNI)), sendBack(LinkBackVNI)...)
	return b.flows
}

// HostGroups are the groups of a gateway host that belong to no gateway. By them it shows
// everybody that it would carry its lanes, while no other host of its gateways stands in
// for it and one of the tunnels heard is up; without any of those, whatever happens. And
// it shows each of those hosts whether it misses it.
func HostGroups(peers []Carrier, heard []uint32) []openflow.Group {
	var groups []openflow.Group
	group := func(id uint32, buckets []openflow.Bucket) {
		groups = append(groups, openflow.Group{ID: id, Type: openflow.GroupFastFailover, Buckets: buckets})
	}
	group(readyGroup, append(unlessStoodIn(peers, nothing), whileHeard(heard, sendBack(LinkBackVNI)...)...))
	// What a group does to a packet does not last, such as the tag of a VLAN.
	group(wireGroup, whileHeard(heard, openflow.Resubmit{Table: TableWire}))
	for _, p := range peers {
		group(standInGroups+p.Link, append([]openflow.Bucket{alive(p.Presence)}, whileHeard(heard, sendBack(StandInBackVNI)...)...))
	}
	return groups
}

// reflect is for packets of BFD, by which another host watches this one.
func (b *builder) reflect(from openflow.Match, a ...openflow.Action) {
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		b.add(TableClassify, 115, with(from, inPort(TunnelPort), ethType(eth), openflow.IPProto.Uint(protoUDP), openflow.UDPDst.Uint(bfdPort)), a...)
	}
}

// sendBack returns a packet under another key to who sent it, so that its session with
// itself is up while packets pass here.
func sendBack(vni uint64) []openflow.Action {
	return actions(set(openflow.TunID.Uint(vni)), copyField(openflow.TunIPv4Src, openflow.TunIPv4Dst),
		copyField(openflow.TunIPv6Src, openflow.TunIPv6Dst), openflow.Output{Port: openflow.PortInPort})
}

var broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
