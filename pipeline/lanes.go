package pipeline

import (
	"net/netip"
	"slices"

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
	// GroupTurn has what is sent here to the lane's MAC enter where the lane is. It does not
	// go there by the wire: each gateway host's bridge takes the lane to be on its side.
	GroupTurn
	// GroupAsk asks the next host of the lane whose a packet is.
	GroupAsk
	// GroupCarry has what another host sent here leave here, unless one of the gateway's
	// hosts is there to carry it: one of those that use the gateway may not see what its
	// hosts see.
	GroupCarry
	// GroupTick has the ticks of a lane leave where it is, if they have to.
	GroupTick
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
	// Link is the port of the tunnel that is up while the host would carry its lanes. The
	// hosts of a gateway have two more to each other: Presence is up while the other one
	// is there, and StandIn while it misses this one.
	Link, Presence, StandIn uint32
}

// Keys of tunnels whose liveness shows something, and of their packets in the direction
// back; no network has them. Links ask under ProbeVNI.
const (
	linkBackVNI = topology.MaxVNI + 1 + iota
	presenceVNI
	presenceBackVNI
	standInVNI
	standInBackVNI
)

// Groups of gateway hosts that belong to no gateway. Those of gateways have numbers from
// 64 on.
const (
	readyGroup    = 1       // shows that the host would carry its lanes
	wireGroup     = 2       // sends a copy to the wire, unless the host is cut off
	standInGroups = 1 << 30 // plus the port of a link: shows a host that this one misses it
)

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
			groups = append(groups, l.gate(), l.turn(), l.ask(), l.carry(), l.tick())
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
			leave := actions(openflow.Resubmit{Table: TableLeave})
			buckets = append(buckets, unlessStoodIn(l.after(), Carrier.send)...)
			return l.group(GroupLeave, append(buckets, l.here(leave...)...))
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

// passedOnMAC is the source of packets that a gateway host has passed on to another one,
// where they leave in any case: they would go round for ever if two hosts took each
// other for the first. No endpoint can have it.
var passedOnMAC = [6]byte(topology.PassedOnMAC)

// passOn is the way through the tunnel for what has to leave there.
func (c Carrier) passOn() []openflow.Action {
	return append(actions(set(openflow.EthSrc.MAC(passedOnMAC))), c.send()...)
}

// ask is the way to another host of the gateway for what comes from outside; it must not
// be BFD, which Open vSwitch there would take for a session's own.
func (c Carrier) ask() []openflow.Action {
	return actions(set(openflow.TunID.Uint(linkBackVNI)), set(tunDst(c.VTEP)), openflow.Output{Port: TunnelPort})
}

// first is how many hosts are before this one.
func (l laneGroups) first() int {
	return slices.IndexFunc(l.order, func(c Carrier) bool { return c.Name == l.self })
}

// after are the hosts after this one.
func (l laneGroups) after() []Carrier { return l.order[l.first()+1:] }

// before has the packet do something else while one of the hosts before this one lives.
func (l laneGroups) before(otherwise func(Carrier) []openflow.Action) (buckets []openflow.Bucket) {
	for _, c := range l.order[:l.first()] {
		buckets = append(buckets, alive(c.Link, otherwise(c)...))
	}
	return buckets
}

// unlessStoodIn has a packet do something else while one of some hosts stands in for this
// one, because it misses it. Two that carried a lane at the same time would have switches
// outside take turns between them.
func unlessStoodIn(by []Carrier, otherwise func(Carrier) []openflow.Action) (buckets []openflow.Bucket) {
	for _, c := range by {
		buckets = append(buckets, alive(c.StandIn, otherwise(c)...))
	}
	return buckets
}

func nothing(Carrier) []openflow.Action { return nil }

// here is what follows when no host before this one lives.
func (l laneGroups) here(a ...openflow.Action) []openflow.Bucket { return whileHeard(l.heard, a...) }

func (l laneGroups) gate() openflow.Group {
	enter := actions(openflow.Resubmit{Table: TableEnter})
	buckets := append(l.before(nothing), unlessStoodIn(l.after(), nothing)...)
	return l.group(GroupGate, append(buckets, l.here(enter...)...))
}

// tick lets ticks leave from the host that carries the lane while the host before it, or
// if there is none the one after it, is missing: that one may have shown the lane before.
// Alone, a host shows it always.
func (l laneGroups) tick() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range l.order[:l.first()] {
		buckets = append(buckets, alive(c.Presence))
	}
	buckets = append(buckets, unlessStoodIn(l.after(), nothing)...)
	if after := l.after(); l.first() == 0 && len(after) > 0 {
		buckets = append(buckets, alive(after[0].Presence))
	}
	return l.group(GroupTick, append(buckets, l.here(openflow.Resubmit{Table: TableWire})...))
}

func (l laneGroups) turn() openflow.Group {
	outside := actions(openflow.Resubmit{Table: TableOutside})
	buckets := append(l.before(Carrier.ask), unlessStoodIn(l.after(), Carrier.ask)...)
	buckets = append(buckets, l.here(outside...)...)
	if len(l.heard) > 0 {
		// Who is cut off inside may find the lane by the wire.
		buckets = append(buckets, always(openflow.Resubmit{Table: TableWire}))
	}
	return l.group(GroupTurn, buckets)
}

func (l laneGroups) carry() openflow.Group {
	leave := actions(openflow.Resubmit{Table: TableLeave})
	buckets := append(l.before(Carrier.passOn), unlessStoodIn(l.after(), Carrier.passOn)...)
	return l.group(GroupCarry, append(buckets, always(leave...)))
}

func (l laneGroups) ask() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range l.order {
		if c.Name != l.self {
			buckets = append(buckets, alive(c.Link, c.ask()...))
		}
	}
	// Nobody is left to ask.
	buckets = append(buckets, always(raise(FlagAsked), openflow.Resubmit{Table: TableReturn}))
	return l.group(GroupAsk, buckets)
}
