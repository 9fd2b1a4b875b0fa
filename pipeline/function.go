package pipeline

import (
	"net/netip"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Placed is an instance of a service function that is on a host.
type Placed struct {
	// Number is the instance's in its function.
	Number int
	Weight int
	Drain  bool
	// Alive is what the controller knows: its ports are up, and it answers.
	Alive bool
	Host  string
	VTEP  netip.Addr
	// Link is the port of the tunnel by which other hosts see whether its host lives.
	Link uint32
	// In and Out are its ports on its own host; the same if it has one.
	In, Out uint32
}

// Function is a service function as every host sees it that sends to it: which group
// knows an instance, and which instance is on the host that a packet comes from.
func Function(f *topology.ServiceFunction, placed []Placed) []openflow.Flow {
	var b builder
	id := f.Allocated.ID
	for _, i := range f.Allocated.Instances {
		b.add(TableHop, 100, match(function(id), instance(i.Number)), toFunction(id, groupHop+i.Number))
	}
	if f.Spec.Type != topology.FunctionTap {
		b.add(TableChoose, 100, match(function(id)), raise(FlagChosen), toFunction(id, groupChoose))
		b.add(TableShare, 100, match(function(id)), toFunction(id, groupShare))
	}
	// What is sent to an instance that is elsewhere by now goes there, once.
	b.add(TableLanding, 5, match(function(id)), raise(FlagAstray), openflow.Resubmit{Table: TableHop})
	b.goTo(TableLanding, 6, match(function(id), instance(0)), TableFailed)
	seen := map[netip.Addr]bool{}
	for _, p := range placed {
		// Of several on one host any will do: that host knows which one it was.
		if !seen[p.VTEP] && p.VTEP.IsValid() {
			seen[p.VTEP] = true
			b.add(TableBefore, 100, match(RegBefore.Uint(uint64(id)), tunSrc(p.VTEP)), set(RegBefore.Uint(uint64(p.Number))), raise(FlagBefore))
		}
	}
	return b.flows
}

// Groups of a service function, after functionGroups and its id. Those of instances are
// groupHop plus their numbers.
const (
	groupHop       = 0
	groupOut       = 64 // is the other port of an instance up, too? Plus its number
	groupChoose    = 32 // has a connection share the load, if some instance lives
	groupShare     = 33 // chooses an instance
	groupHere      = 34 // as groupChoose and groupShare, of the instances of this host
	groupShareHere = 35
	groupCopy      = 36 // gives a copy to an instance of a tap
)

// functionGroups sets the groups of functions apart from those of gateways.
const functionGroups = 1 << 29

func functionGroup(id uint32, kind int) uint32 { return functionGroups | id<<7 | uint32(kind) }

func toFunction(id uint32, kind int) openflow.Action {
	return openflow.ToGroup{ID: functionGroup(id, kind)}
}

// FunctionGroups are the groups of a service function on a host, whose own name self is.
// placed are sorted by number.
func FunctionGroups(f *topology.ServiceFunction, placed []Placed, self string) []openflow.Group {
	g := functionGroupsOf{f: f, self: self, placed: placed}
	if f.Spec.Type == topology.FunctionTap {
		return append(g.hops(), g.copies())
	}
	groups := append(g.hops(), g.choose(), g.share(groupShare, g.open(), openflow.Resubmit{Table: TablePin}))
	here := slices.DeleteFunc(g.open(), func(p Placed) bool { return p.Host != self })
	if !g.isHere() {
		return groups
	}
	return append(groups, g.here(here), g.share(groupShareHere, here, openflow.Resubmit{Table: TableAccept}))
}

// functionGroupsOf makes the groups of a function on one host.
type functionGroupsOf struct {
	f      *topology.ServiceFunction
	self   string
	placed []Placed
}

func (g functionGroupsOf) group(kind int, t openflow.GroupType, buckets []openflow.Bucket) openflow.Group {
	return openflow.Group{ID: functionGroup(g.f.Allocated.ID, kind), Type: t, Buckets: buckets}
}

func (g functionGroupsOf) isHere() bool {
	return slices.ContainsFunc(g.placed, func(p Placed) bool { return p.Host == g.self })
}

// open are the instances that take new connections as far as the controller knows.
func (g functionGroupsOf) open() []Placed {
	var list []Placed
	for _, p := range g.placed {
		if p.Alive && !p.Drain {
			list = append(list, p)
		}
	}
	return list
}

// watch is the port that shows whether the instance lives.
func (g functionGroupsOf) watch(p Placed) uint32 {
	if p.Host == g.self {
		return p.In
	}
	return p.Link
}

var fail = openflow.Resubmit{Table: TableFailed}

// hops are the groups that send to one instance each, or elsewhere if it is dead.
func (g functionGroupsOf) hops() []openflow.Group {
	var groups []openflow.Group
	for _, i := range g.f.Allocated.Instances {
		var buckets []openflow.Bucket
		at := slices.IndexFunc(g.placed, func(p Placed) bool { return p.Number == i.Number })
		if at >= 0 && g.placed[at].Alive {
			p := g.placed[at]
			buckets = append(buckets, alive(g.watch(p), g.give(p)...))
		}
		groups = append(groups, g.group(groupHop+i.Number, openflow.GroupFastFailover, append(buckets, always(g.otherwise()...))))
		if at >= 0 && g.placed[at].Host == g.self && g.placed[at].In != g.placed[at].Out {
			groups = append(groups, g.group(groupOut+i.Number, openflow.GroupFastFailover, []openflow.Bucket{
				alive(g.placed[at].Out, openflow.Resubmit{Table: TableAccept}), always(g.otherwise()...)}))
		}
	}
	return groups
}

// give hands the packet to an instance.
func (g functionGroupsOf) give(p Placed) []openflow.Action {
	if p.Host == g.self {
		if p.In != p.Out {
			return actions(openflow.Resubmit{Table: TableOut})
		}
		return actions(openflow.Resubmit{Table: TableAccept})
	}
	return actions(set(tunDst(p.VTEP)), openflow.Resubmit{Table: TableSend})
}

// otherwise is what happens to the connections of an instance that is dead.
func (g functionGroupsOf) otherwise() []openflow.Action {
	if m := g.f.Spec.FailMode; m == topology.FailReroute || m == "" {
		return actions(set(instance(0)), openflow.Resubmit{Table: TableChoose})
	}
	return actions(fail)
}

func (g functionGroupsOf) choose() openflow.Group {
	var near, far []openflow.Bucket
	for _, p := range g.open() {
		if g.f.Spec.PreferLocal && p.Host == g.self {
			near = append(near, alive(g.watch(p), openflow.Resubmit{Table: TableShareHere}))
		} else {
			far = append(far, alive(g.watch(p), openflow.Resubmit{Table: TableShare}))
		}
	}
	return g.group(groupChoose, openflow.GroupFastFailover, append(append(near, far...), always(fail)))
}

func (g functionGroupsOf) here(list []Placed) openflow.Group {
	var buckets []openflow.Bucket
	for _, p := range list {
		buckets = append(buckets, alive(p.In, openflow.Resubmit{Table: TableShareHere}))
	}
	return g.group(groupHere, openflow.GroupFastFailover, append(buckets, always(fail)))
}

// share chooses one of the instances that live, by their weights.
func (g functionGroupsOf) share(kind int, list []Placed, then openflow.Action) openflow.Group {
	var buckets []openflow.Bucket
	if len(list) == 1 {
		p := list[0]
		return g.group(kind, openflow.GroupFastFailover, []openflow.Bucket{alive(g.watch(p), set(instance(p.Number)), then)})
	}
	for _, p := range list {
		buckets = append(buckets, openflow.Bucket{Weight: weight(p), WatchPort: g.watch(p), Actions: actions(set(instance(p.Number)), then)})
	}
	return g.group(kind, openflow.GroupSelect, buckets)
}

func weight(p Placed) uint16 { return uint16(max(p.Weight, 1)) }

// copies gives a copy to an instance of a tap. The packet itself stays as it is.
func (g functionGroupsOf) copies() openflow.Group {
	var buckets []openflow.Bucket
	for _, p := range g.open() {
		a := actions(set(function(g.f.Allocated.ID)), set(instance(p.Number)))
		if p.Host == g.self {
			a = append(a, openflow.Resubmit{Table: TableAccept})
		} else {
			a = append(a, set(tunDst(p.VTEP)), openflow.Resubmit{Table: TableSend})
		}
		buckets = append(buckets, openflow.Bucket{Weight: weight(p), WatchPort: g.watch(p), Actions: a})
	}
	if len(buckets) == 1 { // nothing to choose, so that the datapath need not compute a hash
		buckets[0].Weight = 0
		return g.group(groupCopy, openflow.GroupFastFailover, buckets)
	}
	return g.group(groupCopy, openflow.GroupSelect, buckets)
}
