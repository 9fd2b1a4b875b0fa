package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file knows which host carries a lane, from what switches say of their tunnels.

// linksReported takes in what a host says of its tunnels to gateway hosts.
func (c *Controller) linksReported(h *host, links []ovsdb.LinkState) {
	h.links = map[uint32]ovsdb.LinkState{}
	for _, l := range links {
		h.links[l.ID] = l
		if l.Up {
			delete(h.linkNew, l.ID)
		}
	}
	for g := range h.gateways {
		c.lanesMoved(g)
	}
	c.linksSeen(h)
	for f := range h.functions {
		c.dirty.phases[&f.object] = true
	}
}

// linksSeen has a host go by those of its links that have shown that they work.
func (c *Controller) linksSeen(h *host) {
	if !c.seeLinks(h) {
		return
	}
	c.dirty.steering[h] = true
	for f := range h.functions {
		c.dirty.phases[&f.object] = true
	}
}

// lanesMoved notes where the lanes of a gateway are now.
func (c *Controller) lanesMoved(g *gateway) {
	c.dirty.phases[&g.object] = true
	active := map[string]string{}
	for i, name := range c.activeHosts(g) {
		l := g.spec.Allocated.Lanes[i]
		was, seen := g.active[l.Host]
		if !seen && name == "" {
			continue // its hosts have yet to show that they live
		}
		active[l.Host] = name
		if seen && was != name {
			c.event(topology.EventLaneMoved, g.key, name, laneText(l, was, name))
		}
	}
	if !maps.Equal(active, g.active) {
		g.active = active
		c.dirty.routes[g.ext] = true
	}
}

func laneText(l topology.Lane, from, to string) string {
	switch {
	case to == "":
		return fmt.Sprintf("nobody carries the lane of host %s: all hosts of the gateway are dead", l.Host)
	case from == "":
		return fmt.Sprintf("the lane of host %s is carried again, by %s", l.Host, to)
	}
	return fmt.Sprintf("the lane of host %s went from %s to %s", l.Host, from, to)
}

// alive says whether packets pass a gateway host: those say so that have tunnels to
// it. Where nobody has, its OpenFlow session must do.
func (c *Controller) alive(k *host) bool {
	said := false
	for h := range k.watchers {
		l, ok := h.links[k.spec.Allocated.ID]
		if !ok || !h.ovsdbUp || !l.Known {
			continue
		}
		if l.Up {
			return true
		}
		said = true
	}
	return !said && k.openflowUp
}

// activeHosts are the hosts that carry the lanes now, "" for one that nobody carries.
func (c *Controller) activeHosts(g *gateway) []string {
	carriers := c.carriers(g)
	active := make([]string, len(g.spec.Allocated.Lanes))
	for i := range active {
		for _, name := range g.spec.Order(i) {
			if k := carriers[name]; k != nil && c.alive(k) {
				active[i] = name
				break
			}
		}
	}
	return active
}

func (c *Controller) laneStatus(g *gateway) []topology.LaneStatus {
	if g == nil {
		return nil
	}
	var list []topology.LaneStatus
	for i, name := range c.activeHosts(g) {
		list = append(list, topology.LaneStatus{Host: g.spec.Allocated.Lanes[i].Host, Active: name})
	}
	return list
}

// judgeGateway says whether packets pass the gateway.
func (c *Controller) judgeGateway(g *gateway) (topology.Phase, string) {
	if g == nil {
		return topology.PhaseRealized, ""
	}
	carriers := c.carriers(g)
	if len(carriers) == 0 {
		return topology.PhasePending, "none of its hosts can carry it: " + strings.Join(c.gatewayWarnings(g), "; ")
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(carriers)), c.alive) {
		return topology.PhasePending, "all hosts that could carry it are dead"
	}
	for _, h := range sortedHosts(g.hosts) {
		for _, name := range slices.Sorted(maps.Keys(carriers)) {
			if c.unseen(h, carriers[name]) {
				return topology.PhasePending, fmt.Sprintf("waiting for host %s to see that gateway host %s lives", h.key.Name, name)
			}
		}
		for _, k := range c.guards(carriers) {
			if carriers[h.key.Name] == h && c.unseen(h, k) {
				return topology.PhasePending, fmt.Sprintf("waiting for gateway host %s to hear its witness %s", h.key.Name, k.key.Name)
			}
		}
	}
	if n := c.unansweredHop(g.ext); n != nil && n.asked < askMost {
		return topology.PhasePending, fmt.Sprintf("waiting for next hop %s to say its MAC", n.addr)
	}
	return topology.PhaseRealized, ""
}

// unseen says whether a host has yet to see that another one lives.
func (c *Controller) unseen(h, k *host) bool {
	return h != k && !c.away(h) && k.openflowUp && c.linkAwaited(h, k)
}

// lookAt notes whether packets pass the gateway, and has what depends on that looked at
// when it changes.
func (c *Controller) lookAt(g *gateway) {
	before := g.passes
	if g.passes, g.why = c.judgeGateway(g); g.passes == before {
		return
	}
	for r := range g.routers {
		c.dirty.phases[&r.object] = true
	}
	for f := range g.floats {
		c.dirty.phases[&f.object] = true
	}
	for s := range g.services {
		c.dirty.phases[&s.object] = true
	}
}

// passing says whether packets passed the gateway when that was last looked at.
func (g *gateway) passing() (topology.Phase, string) {
	if g.passes != topology.PhaseRealized {
		return topology.PhasePending, "gateway " + g.key.Name + ": " + g.why
	}
	return topology.PhaseRealized, ""
}

// linkPatience is how long a new tunnel may take to show that it lives before that is
// a warning, and nothing waits for it any more.
const linkPatience = 10 * time.Second

// linkAwaited says whether a new tunnel has still to show that it lives. One that has
// shown it once and fails later is what gateways are made for.
func (c *Controller) linkAwaited(h, k *host) bool {
	since, new := h.linkNew[k.spec.Allocated.ID]
	return new && c.now().Sub(since) <= linkPatience
}

// unansweredHop is a configured next hop that has not answered, while none of its IP
// version has.
func (c *Controller) unansweredHop(x *external) *neighbour {
	for _, a := range []*neighbour{x.neighbours[x.hops.IPv4], x.neighbours[x.hops.IPv6]} {
		if a != nil && !a.known() {
			return a
		}
	}
	return nil
}

// gatewayWarnings are what is wrong with single hosts, and with next hops.
func (c *Controller) gatewayWarnings(g *gateway) []string {
	if g == nil {
		return nil
	}
	var w []string
	for _, gh := range g.spec.Spec.Hosts {
		h := c.model.hosts[gh.Name]
		switch {
		case h == nil:
			w = append(w, fmt.Sprintf("host %s has not registered", gh.Name))
		case !h.vtep().IsValid():
			w = append(w, fmt.Sprintf("host %s has no VTEP address", gh.Name))
		case !g.ext.mapped(h):
			w = append(w, fmt.Sprintf("host %s has no bridge to physical network %s: run there: ovs-vsctl set Open_vSwitch . external_ids:dovetail-bridge-mappings=%s:BRIDGE",
				gh.Name, g.ext.spec.Spec.PhysicalNetwork, g.ext.spec.Spec.PhysicalNetwork))
		case !c.alive(h):
			w = append(w, fmt.Sprintf("host %s is dead, or not ready yet", gh.Name))
		}
	}
	return append(w, c.hopWarnings(g.ext)...)
}

func (c *Controller) hopWarnings(x *external) []string {
	if x == nil {
		return nil
	}
	var w []string
	for _, s := range x.spec.Spec.Subnets {
		for _, a := range s.NextHops {
			if n := x.neighbours[a]; n != nil && n.asked > askMissed {
				w = append(w, fmt.Sprintf("next hop %s does not answer", a))
			}
		}
	}
	return w
}

func sortedHosts(set map[*host]bool) []*host {
	list := slices.Collect(maps.Keys(set))
	slices.SortFunc(list, func(a, b *host) int { return compareNames(a.key.Name, b.key.Name) })
	return list
}

// judgeExits says whether packets pass all gateways of a router.
func judgeExits(r *router) (topology.Phase, string) {
	if r == nil {
		return topology.PhaseRealized, ""
	}
	for g := range r.exits {
		if phase, reason := g.passing(); phase != topology.PhaseRealized {
			return phase, reason
		}
	}
	return topology.PhaseRealized, ""
}

func (c *Controller) judgeFloat(f *floating) (topology.Phase, string) {
	switch {
	case f == nil:
		return topology.PhaseRealized, ""
	case f.spec.Spec.Endpoint == "" && len(f.spec.Spec.Ports) == 0:
		return topology.PhaseRealized, "" // it is reserved
	case f.problem != "":
		return topology.PhasePending, f.problem
	case f.here == nil:
		return f.gw.passing()
	case c.away(f.here):
		return topology.PhasePending, awayText(f.here)
	}
	return topology.PhaseRealized, ""
}

// judgeService says whether a router of the tenant leads to the service.
func judgeService(s *service) (topology.Phase, string) {
	if s == nil {
		return topology.PhaseRealized, ""
	}
	for r := range s.gw.routers {
		if r.key.Tenant == s.key.Tenant {
			return s.gw.passing()
		}
	}
	return topology.PhasePending, "no router of the tenant is connected to gateway " + s.gw.key.Name
}
