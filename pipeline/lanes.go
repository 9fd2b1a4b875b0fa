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
	// GroupGate lets a question for an address of the lane's, and what the controller sends
	// out by the lane, on to enter where the lane is.
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

// Keys of the tunnels by whose liveness hosts watch gateways, and of their packets in the
// direction back; they are the five highest, which neither a network nor a chain has. Links
// ask under ProbeVNI.
const (
	LinkBackVNI = 1<<24 - 5 + iota
	PresenceVNI
	PresenceBackVNI
	StandInVNI
	StandInBackVNI
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
// host's own name. heard are the ports of tunnels that say that others are there: while
// all of them are down the host is cut off, and carries nothing; without any it carries
// its lanes whatever happens.
func GatewayGroups(g *topology.Gateway, carriers map[string]Carrier, self string, heard []uint32) []openflow.Group {
	var groups []openflow.Group
	for lane := range g.Allocated.Lanes {
		l := laneGroups{g: g, lane: lane, heard: heard}
		for _, name := range g.Order(lane) {
			switch c := carriers[name]; {
			case !c.VTEP.IsValid():
			case name == self:
				l.carries = true
			case l.carries:
				l.after = append(l.after, c)
			default:
				l.before = append(l.before, c)
			}
		}
		groups = append(groups, l.leave())
		if l.carries {
			groups = append(groups, l.gate(), l.turn(), l.ask(), l.carry(), l.tick())
		}
	}
	return groups
}

// laneGroups makes the groups of one lane on one host.
type laneGroups struct {
	g       *topology.Gateway
	lane    int
	carries bool // the host is one of the lane's
	// before and after are the lane's other hosts, in its order. One that carries none is
	// after all of them.
	before, after []Carrier
	heard         []uint32
}

func (l laneGroups) group(kind GroupKind, buckets []openflow.Bucket) openflow.Group {
	return openflow.Group{ID: GroupID(l.g, l.lane, kind), Type: openflow.GroupFastFailover, Buckets: buckets}
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
	return actions(set(openflow.TunID.Uint(LinkBackVNI)), set(tunDst(c.VTEP)), openflow.Output{Port: TunnelPort})
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

// elsewhere has a packet do something if another host carries the lane: one before this
// one that is ready, or one after it that stands in for it.
func (l laneGroups) elsewhere(do func(Carrier) []openflow.Action) (buckets []openflow.Bucket) {
	for _, c := range l.before {
		buckets = append(buckets, alive(c.Link, do(c)...))
	}
	return append(buckets, unlessStoodIn(l.after, do)...)
}

// here is what follows where no other host carries the lane.
func (l laneGroups) here(a ...openflow.Action) []openflow.Bucket { return whileHeard(l.heard, a...) }

func (l laneGroups) leave() openflow.Group {
	buckets := l.elsewhere(Carrier.send)
	switch {
	case l.carries:
		buckets = append(buckets, l.here(openflow.Resubmit{Table: TableLeave})...)
	case len(l.before) > 0:
		// Until the first tunnel has shown that it lives.
		buckets = append(buckets, always(l.before[0].send()...))
	}
	return l.group(GroupLeave, buckets)
}

func (l laneGroups) gate() openflow.Group {
	return l.group(GroupGate, append(l.elsewhere(nothing), l.here(openflow.Resubmit{Table: TableEnter})...))
}

func (l laneGroups) turn() openflow.Group {
	buckets := append(l.elsewhere(Carrier.ask), l.here(openflow.Resubmit{Table: TableOutside})...)
	if len(l.heard) > 0 {
		// Who is cut off inside may find the lane by the wire.
		buckets = append(buckets, always(openflow.Resubmit{Table: TableWire}))
	}
	return l.group(GroupTurn, buckets)
}

func (l laneGroups) carry() openflow.Group {
	return l.group(GroupCarry, append(l.elsewhere(Carrier.passOn), always(openflow.Resubmit{Table: TableLeave})))
}

// tick lets ticks leave from the host that carries the lane while the host before it, or
// if there is none the one after it, is missing: that one may have shown the lane before.
// Alone, a host shows it always.
func (l laneGroups) tick() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range l.before {
		buckets = append(buckets, alive(c.Presence))
	}
	buckets = append(buckets, unlessStoodIn(l.after, nothing)...)
	if len(l.before) == 0 && len(l.after) > 0 {
		buckets = append(buckets, alive(l.after[0].Presence))
	}
	return l.group(GroupTick, append(buckets, l.here(openflow.Resubmit{Table: TableWire})...))
}

func (l laneGroups) ask() openflow.Group {
	var buckets []openflow.Bucket
	for _, c := range slices.Concat(l.before, l.after) {
		buckets = append(buckets, alive(c.Link, c.ask()...))
	}
	// Nobody is left to ask.
	buckets = append(buckets, always(raise(FlagAsked), openflow.Resubmit{Table: TableReturn}))
	return l.group(GroupAsk, buckets)
}
