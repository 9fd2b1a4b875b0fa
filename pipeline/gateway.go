package pipeline

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

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
// same gateways ask and pass on. peers are those hosts. guarded says that it lives for
// others only while it hears one. It has HostGroups, too.
func GatewayHost(lanes []LaneHere, peers map[string]Carrier, self string, guarded bool) []openflow.Flow {
	var b builder
	list := sorted(peers)
	b.shows(list, guarded)
	var ticks []openflow.Action
	for _, l := range lanes {
		number := uint64(ExternalNumber(l.External))
		lane := l.Gateway.Allocated.Lanes[l.Lane]
		ticks = append(ticks, l.ticks(peers, self)...)
		for _, p := range list {
			b.goTo(TableClassify, 100, match(inPort(p.Link), openflow.EthDst.MAC(lane.MAC)), TableEnter,
				append(actions(set(RegNetwork.Uint(number)), set(RegExternal.Uint(number)), raise(FlagAsked)), sources(lane)...)...)
		}
	}
	b.add(TableClassify, 100, match(inPort(TickPort)), ticks...)
	b.goTo(TableClassify, 106, match(inPort(TunnelPort), openflow.EthSrc.MAC(passedOnMAC)), TableLeave,
		openflow.Move{Src: openflow.TunID, Dst: RegNetwork, NBits: 24}, clearInPort())
	return b.flows
}

// ticks are a lane's. One goes to its own MAC, unless the host is cut off: it ends in the
// bridge to the outside, which learns that the lane is on this side, so that nothing is
// lost there if the lane comes. One to everybody shows switches outside where the lane is, while any
// of its hosts is missing. It is not sent while all are there: a host that has just
// stepped back takes in what still comes to it, and its bridge has to let that pass.
func (l LaneHere) ticks(peers map[string]Carrier, self string) []openflow.Action {
	mac := l.Gateway.Allocated.Lanes[l.Lane].MAC
	a := actions(set(RegNetwork.Uint(uint64(ExternalNumber(l.External)))), set(openflow.EthSrc.MAC(mac)), set(openflow.EthDst.MAC(mac)),
		openflow.ToGroup{ID: wireGroup}, set(openflow.EthDst.MAC(broadcast)))
	order := l.Gateway.Order(l.Lane)
	var others []openflow.Action
	for _, name := range order {
		if p := peers[name]; p.VTEP.IsValid() {
			others = append(others, openflow.ToGroup{ID: missingGroups | p.Link})
		}
	}
	if order[0] != self || len(others) == 0 {
		return append(a, toGroup(l.Gateway, l.Lane, GroupTick))
	}
	return append(a, others...)
}

func sorted(peers map[string]Carrier) []Carrier {
	return slices.SortedFunc(maps.Values(peers), func(a, b Carrier) int { return cmp.Compare(a.Link, b.Link) })
}

// shows has a gateway host show that it lives: to the other hosts of its gateways first,
// whose presence it knows, and then to everybody else.
func (b *builder) shows(peers []Carrier, guarded bool) {
	if len(peers) == 0 {
		b.reflect(match(openflow.TunID.Uint(ProbeVNI)), sendBack(linkBackVNI)...)
		return
	}
	present := sendBack(presenceBackVNI)
	if guarded {
		present = actions(openflow.ToGroup{ID: presenceGroup})
	}
	for _, p := range peers {
		b.reflect(match(openflow.TunID.Uint(presenceVNI), tunSrc(p.VTEP)), present...)
		b.reflect(match(openflow.TunID.Uint(sightVNI), tunSrc(p.VTEP)), openflow.ToGroup{ID: sightGroups | p.Link})
	}
	b.reflect(match(openflow.TunID.Uint(ProbeVNI)), openflow.ToGroup{ID: readyGroup})
}

// Witness is what a host has that carries no gateway: by it, gateway hosts know that
// they are not cut off.
func Witness() []openflow.Flow {
	var b builder
	b.reflect(match(openflow.TunID.Uint(ProbeVNI)), sendBack(linkBackVNI)...)
	return b.flows
}

// HostGroups are the groups of a gateway host that belong to no gateway. By them it shows
// other hosts of its gateways that it is there, while one of the tunnels heard is up;
// without any, whatever happens. Everybody else sees it alive once the one of them that
// may stand in for it knows that.
func HostGroups(peers map[string]Carrier, heard []uint32) []openflow.Group {
	var groups []openflow.Group
	group := func(id uint32, buckets ...openflow.Bucket) {
		groups = append(groups, openflow.Group{ID: id, Type: openflow.GroupFastFailover, Buckets: buckets})
	}
	list := sorted(peers)
	// What a group does to a packet does not last, such as the tag of a VLAN.
	group(wireGroup, whileHeard(heard, openflow.Resubmit{Table: TableWire})...)
	if len(heard) > 0 {
		group(presenceGroup, whileHeard(heard, sendBack(presenceBackVNI)...)...)
	}
	if len(list) > 0 {
		back := sendBack(linkBackVNI)
		group(readyGroup, append(onceSeen(list, back, nothing), whileHeard(heard, back...)...)...)
	}
	for _, p := range list {
		group(sightGroups|p.Link, alive(p.Presence, sendBack(sightBackVNI)...))
		group(missingGroups|p.Link, append([]openflow.Bucket{alive(p.Presence)}, whileHeard(heard, openflow.Resubmit{Table: TableWire})...)...)
	}
	return groups
}

// reflect is for packets of BFD, by which another host watches this one.
func (b *builder) reflect(from openflow.Match, a ...openflow.Action) {
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		b.add(TableClassify, 115, with(from, inPort(TunnelPort), ethType(eth), openflow.IPProto.Uint(protoUDP), openflow.UDPDst.Uint(bfdPort)), a...)
	}
}

// passedOnMAC is the source of packets that a gateway host has passed on to another one,
// where they leave in any case: they would go round for ever if two hosts took each
// other for the first.
var passedOnMAC = [6]byte{0x0e, 0x64, 0x76, 0, 0, 2}

// sendBack returns a packet under another key to who sent it, so that its session with
// itself is up while packets pass here.
func sendBack(vni uint64) []openflow.Action {
	return actions(set(openflow.TunID.Uint(vni)), copyField(openflow.TunIPv4Src, openflow.TunIPv4Dst),
		copyField(openflow.TunIPv6Src, openflow.TunIPv6Dst), openflow.Output{Port: openflow.PortInPort})
}

var broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
