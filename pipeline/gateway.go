package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// GroupKind says what a group does for a lane of a gateway.
type GroupKind uint32

// The kinds of group. Each is there once for each lane; what it has depends on the host.
const (
	// GroupLeave sends a packet for the outside to the host that carries the lane now,
	// with the VNI of reg0.
	GroupLeave GroupKind = iota
	// GroupGate lets a question for an address of the lane's, and what shows where the lane
	// is, on to enter where the lane is.
	GroupGate
	// GroupTurn has a packet for the lane's MAC enter where the lane is, and sends it to
	// the wire elsewhere.
	GroupTurn
	// GroupAsk asks the next host of the lane whose a packet is.
	GroupAsk
	// GroupCarry has what another host sent here leave here, unless a host before this
	// one lives: two would show the lane's MAC outside, only because one of those that
	// use the gateway does not see what its hosts see.
	GroupCarry
)

// GroupID is the number of a group.
func GroupID(g *topology.Gateway, lane int, kind GroupKind) uint32 {
	return g.Allocated.ID<<6 | uint32(lane)<<3 | uint32(kind)
}

func toGroup(g *topology.Gateway, lane int, kind GroupKind) openflow.Action {
	return openflow.ToGroup{ID: GroupID(g, lane, kind)}
}

// Carrier is a host of a gateway as another host sees it.
type Carrier struct {
	Name string
	VTEP netip.Addr
	// Link is the port of the tunnel to it whose liveness groups watch.
	Link uint32
}

// linkVNI is the key of the tunnels whose liveness shows that of gateway hosts, in
// the direction back.
const linkVNI = topology.MaxVNI + 1

// reflectGroup is the group that shows that a gateway host lives, while that host hears
// another one. The groups of gateways have numbers from 64 on.
const reflectGroup = 1

// GatewayGroups are the groups of a gateway on a host. carriers are the hosts of the
// gateway, of each lane in its order; one without VTEP is not used. self is the
// host's own name. heard are the ports of its links: while all of them are down the host
// is cut off, and carries nothing; without any it carries its lanes whatever happens.
func GatewayGroups(g *topology.Gateway, carriers map[string]Carrier, self string, heard []uint32) []openflow.Group {
	var groups []openflow.Group
	for lane := range g.Allocated.Lanes {
		var order []Carrier
		for _, name := range g.Order(lane) {
			if c := carriers[name]; c.VTEP.IsValid() {
				order = append(order, c)
			}
		}
		l := laneGroups{g, lane, order, self, heard}
		groups = append(groups, l.leave())
		if l.carries() {
			groups = append(groups, l.gate(), l.turn(), l.ask(), l.carry())
		}
	}
	return groups
}

type laneGroups struct {
	g     *topology.Gateway
	lane  int
	order []Carrier
	self  string
	heard []uint32
}

func (l laneGroups) group(kind GroupKind, buckets []openflow.Bucket) openflow.Group {
	return openflow.Group{ID: GroupID(l.g, l.lane, kind), Type: openflow.GroupFastFailover, Buckets: buckets}
}

func (l laneGroups) carries() bool {
	for _, c := range l.order {
		if c.Name == l.self {
			return true
		}
	}
	return false
}

// alive is a bucket that is used while a port is up. The tunnel port always is.
func alive(port uint32, a ...openflow.Action) openflow.Bucket {
	return openflow.Bucket{WatchPort: port, Actions: a}
}

func always(a ...openflow.Action) openflow.Bucket { return alive(TunnelPort, a...) }

// whileHeard has a packet do something while the host hears another one.
func whileHeard(heard []uint32, a ...openflow.Action) []openflow.Bucket {
	if len(heard) == 0 {
		return []openflow.Bucket{always(a...)}
	}
	var buckets []openflow.Bucket
	for _, link := range heard {
		buckets = append(buckets, alive(link, a...))
	}
	return buckets
}

func (l laneGroups) leave() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range l.order {
		if c.Name == l.self {
			return l.group(GroupLeave, append(buckets, l.here(openflow.Resubmit{Table: TableLeave})...))
		}
		buckets = append(buckets, alive(c.Link, c.send()...))
	}
	if len(l.order) > 0 {
		// Until the first tunnel has shown that it lives.
		buckets = append(buckets, always(l.order[0].send()...))
	}
	return l.group(GroupLeave, buckets)
}

// send is the way through the tunnel with the VNI of reg0.
func (c Carrier) send() []openflow.Action {
	return actions(openflow.Move{Src: RegNetwork, Dst: openflow.TunID, NBits: 24}, set(tunDst(c.VTEP)), openflow.Output{Port: TunnelPort})
}

// before has the packet do something else while one of the hosts before this one lives.
func (l laneGroups) before(otherwise ...openflow.Action) (buckets []openflow.Bucket) {
	for _, c := range l.order {
		if c.Name == l.self {
			break
		}
		buckets = append(buckets, alive(c.Link, otherwise...))
	}
	return buckets
}

// here is what follows when no host before this one lives.
func (l laneGroups) here(a ...openflow.Action) []openflow.Bucket { return whileHeard(l.heard, a...) }

func (l laneGroups) gate() openflow.Group {
	return l.group(GroupGate, append(l.before(), l.here(openflow.Resubmit{Table: TableEnter})...))
}

func (l laneGroups) turn() openflow.Group {
	buckets := append(l.before(openflow.Resubmit{Table: TableWire}), l.here(openflow.Resubmit{Table: TableOutside})...)
	if len(l.heard) > 0 {
		// Who is cut off inside may find the lane by the wire.
		buckets = append(buckets, always(openflow.Resubmit{Table: TableWire}))
	}
	return l.group(GroupTurn, buckets)
}

func (l laneGroups) carry() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range l.order {
		if c.Name == l.self {
			break
		}
		buckets = append(buckets, alive(c.Link, append(actions(set(openflow.EthSrc.MAC(detourMAC))), c.send()...)...))
	}
	return l.group(GroupCarry, append(buckets, always(openflow.Resubmit{Table: TableLeave})))
}

func (l laneGroups) ask() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range l.order {
		if c.Name != l.self {
			buckets = append(buckets, alive(c.Link, set(openflow.TunID.Uint(linkVNI)), set(tunDst(c.VTEP)), openflow.Output{Port: TunnelPort}))
		}
	}
	// Nobody is left to ask.
	buckets = append(buckets, always(raise(FlagAsked), openflow.Resubmit{Table: TableReturn}))
	return l.group(GroupAsk, buckets)
}

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
// same gateways ask. peers are the ports of the tunnels to those. guarded says that it
// lives for others only while it hears another host: it has ReflectWhileHeard then.
func GatewayHost(lanes []LaneHere, peers []uint32, guarded bool) []openflow.Flow {
	var b builder
	if guarded {
		b.reflect(openflow.ToGroup{ID: reflectGroup})
	} else {
		b.reflect(sendBack()...)
	}
	var tick []openflow.Action
	for _, l := range lanes {
		number := uint64(ExternalNumber(l.External))
		mac := l.Gateway.Allocated.Lanes[l.Lane].MAC
		tick = append(tick, set(RegNetwork.Uint(number)), set(openflow.EthSrc.MAC(mac)), set(openflow.EthDst.MAC(broadcast)),
			raise(FlagTick), toGroup(l.Gateway, l.Lane, GroupGate))
		for _, p := range peers {
			b.goTo(TableClassify, 100, match(inPort(p), openflow.EthDst.MAC(mac)), TableEnter,
				append(actions(set(RegNetwork.Uint(number)), set(RegExternal.Uint(number)), raise(FlagAsked)), sources(l.Gateway.Allocated.Lanes[l.Lane])...)...)
		}
	}
	b.add(TableClassify, 100, match(inPort(TickPort)), tick...)
	b.goTo(TableClassify, 106, match(inPort(TunnelPort), openflow.EthSrc.MAC(detourMAC)), TableLeave,
		openflow.Move{Src: openflow.TunID, Dst: RegNetwork, NBits: 24}, clearInPort())
	return b.flows
}

// Witness is what a host has that carries no gateway: by it, gateway hosts know that
// they are not cut off.
func Witness() []openflow.Flow {
	var b builder
	b.reflect(sendBack()...)
	return b.flows
}

// ReflectWhileHeard is the group by which a gateway host shows that it lives, while one
// of its links is up. Whoever sees it live can be sure that its lanes' gates are open.
func ReflectWhileHeard(heard []uint32) openflow.Group {
	return openflow.Group{ID: reflectGroup, Type: openflow.GroupFastFailover, Buckets: whileHeard(heard, sendBack()...)}
}

// reflect is for packets of BFD, by which another host watches this one.
func (b *builder) reflect(a ...openflow.Action) {
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		b.add(TableClassify, 115, match(inPort(TunnelPort), openflow.TunID.Uint(ProbeVNI), ethType(eth), openflow.IPProto.Uint(protoUDP), openflow.UDPDst.Uint(bfdPort)), a...)
	}
}

// detourMAC is the source of packets that a gateway host has passed on to another one,
// where they leave in any case: they would go round for ever if two hosts took each
// other for the first.
var detourMAC = [6]byte{0x0e, 0x64, 0x76, 0, 0, 2}

// sendBack returns a packet to who sent it, so that its session with itself is up
// while packets pass here.
func sendBack() []openflow.Action {
	return actions(set(openflow.TunID.Uint(linkVNI)), copyField(openflow.TunIPv4Src, openflow.TunIPv4Dst),
		copyField(openflow.TunIPv6Src, openflow.TunIPv6Dst), openflow.Output{Port: openflow.PortInPort})
}

var broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
