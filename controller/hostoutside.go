package controller

import (
	"maps"
	"slices"
	"strings"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
)

// This file compiles what one host has of external networks and gateways.

func compareNames(a, b string) int { return strings.Compare(a, b) }

// mapped says whether a host has a bridge to the external network.
func (x *external) mapped(h *host) bool {
	_, ok := h.spec.Allocated.BridgeMappings[x.spec.Spec.PhysicalNetwork]
	return ok
}

// carriers are the hosts that can carry the gateway.
func (c *Controller) carriers(g *gateway) map[string]*host {
	list := map[string]*host{}
	for _, gh := range g.spec.Spec.Hosts {
		if h := c.model.hosts[gh.Name]; h != nil && h.vtep().IsValid() && g.ext.mapped(h) {
			list[gh.Name] = h
		}
	}
	return list
}

func (c *Controller) carries(g *gateway, h *host) bool { return c.carriers(g)[h.key.Name] == h }

// uses are the gateways that a host sends to or carries.
func (c *Controller) uses(h *host) map[*gateway]bool {
	list := map[*gateway]bool{}
	for n := range h.nets {
		if n.router != nil {
			maps.Copy(list, n.router.exits)
		}
	}
	for _, g := range c.model.gateways {
		if g.names(h.key.Name) && c.carries(g, h) {
			list[g] = true
			// It routes for the routers that are connected, and so leaves by all their gateways.
			for r := range g.routers {
				maps.Copy(list, r.exits)
			}
		}
	}
	return list
}

// compileOutside compiles what one host has of external networks and gateways: groups,
// ports, and what shows that it lives.
func (c *Controller) compileOutside(h *host) {
	want := c.uses(h)
	lanes := []pipeline.LaneHere{}
	peers := map[*host]bool{}  // other hosts of what it carries
	linked := map[*host]bool{} // whose liveness it goes by
	guarded := map[*gateway]bool{}
	exts := map[*external]bool{}
	for g := range want {
		carriers := c.carriers(g)
		for _, k := range carriers {
			linked[k] = true
		}
		if carriers[h.key.Name] != h {
			continue
		}
		for _, k := range c.guards(carriers) {
			linked[k], guarded[g] = true, true
		}
		exts[g.ext] = true
		for i := range g.spec.Allocated.Lanes {
			lanes = append(lanes, pipeline.LaneHere{Gateway: g.spec, Lane: i, External: g.ext.spec})
		}
		for _, k := range carriers {
			if k != h {
				peers[k] = true
			}
		}
	}
	for e := range h.endpoints {
		for f := range e.floats {
			if f.here == h {
				exts[f.gw.ext] = true
			}
		}
	}
	heard := heardPorts(h, linked, peers)
	for g := range want {
		if guarded[g] {
			c.compileGroups(h, g, heard)
		} else {
			c.compileGroups(h, g, nil)
		}
	}
	c.connect(h, exts)
	maps.Copy(linked, c.instanceHosts(h))
	if len(guarded) == 0 {
		heard = nil
	}
	c.show(h, lanes, peers, heard)
	c.link(h, linked, peers, len(lanes) > 0)
	for g := range h.gateways {
		if !want[g] {
			delete(g.hosts, h)
			c.set(&g.object, h.feed, nil)
		}
	}
	h.gateways = want
}

func (c *Controller) compileGroups(h *host, g *gateway, heard []uint32) {
	view := map[string]pipeline.Carrier{}
	for name, k := range c.carriers(g) {
		view[name] = k.carrier()
	}
	g.hosts[h] = true
	c.setEntries(&g.object, h.feed, g.key.String(), c.encodeGroups(&g.object, pipeline.GatewayGroups(g.spec, view, h.key.Name, heard)...))
}

// carrier is a gateway host as others see it.
func (h *host) carrier() pipeline.Carrier {
	id := h.spec.Allocated.ID
	return pipeline.Carrier{Name: h.key.Name, VTEP: h.vtep(), Link: ovsdb.LinkOFPort(id), Presence: ovsdb.PresenceOFPort(id), StandIn: ovsdb.StandInOFPort(id)}
}

func (c *Controller) encodeGroups(o *object, groups ...openflow.Group) []openflow.Entry {
	var entries []openflow.Entry
	for _, group := range groups {
		e, err := openflow.EncodeGroup(group)
		if err != nil {
			c.log.Error().Err(err).Stringer("object", o.key).Msg("encoding a group")
			c.metrics.compileErrors.Inc()
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// connect gives a host its ports of external networks.
func (c *Controller) connect(h *host, exts map[*external]bool) {
	ports := ovsdb.PatchOFPorts(h.spec.Allocated.BridgeMappings)
	for x := range exts {
		if port := ports[x.spec.Spec.PhysicalNetwork]; port != 0 {
			c.set(&x.object, h.feed, pipeline.ExternalLocal(x.spec, port))
		}
	}
	for x := range h.externals {
		if !exts[x] {
			c.set(&x.object, h.feed, nil)
		}
	}
	if !maps.Equal(h.externals, exts) {
		h.externals = exts
		c.dirty.plans[h] = true
	}
}

// show is what a host has that carries gateways, is a witness, or has instances of functions. heard are the links by
// which it knows that it is not cut off; none if it does not care.
func (c *Controller) show(h *host, lanes []pipeline.LaneHere, peers map[*host]bool, heard []uint32) {
	owner := h.key.String()
	if len(lanes) == 0 {
		var flows []openflow.Flow
		if slices.Contains(c.witnesses, h) || c.hasInstances(h) {
			flows = pipeline.Witness()
		}
		c.set(&h.object, h.feed, flows)
		return
	}
	slices.SortFunc(lanes, func(a, b pipeline.LaneHere) int {
		if n := compareNames(a.Gateway.Metadata.Name, b.Gateway.Metadata.Name); n != 0 {
			return n
		}
		return a.Lane - b.Lane
	})
	var others []pipeline.Carrier
	for _, k := range slices.SortedFunc(maps.Keys(peers), byNumber) {
		others = append(others, k.carrier())
	}
	entries := c.seal(owner, pipeline.GatewayHost(lanes, others))
	c.setEntries(&h.object, h.feed, owner, append(entries, c.encodeGroups(&h.object, pipeline.HostGroups(others, heard)...)...))
}

// link has the host provisioned with the tunnels whose liveness it goes by. With its
// peers, which carry gateways that it carries, it takes turns.
func (c *Controller) link(h *host, to, peers map[*host]bool, tick bool) {
	links := ovsdb.Links{Tick: tick}
	for k := range to {
		if k != h {
			links.Tunnels = append(links.Tunnels, ovsdb.Tunnel{ID: k.spec.Allocated.ID, Remote: k.vtep(), Patient: slices.Contains(c.witnesses, k), Mutual: peers[k]})
		}
	}
	slices.SortFunc(links.Tunnels, func(a, b ovsdb.Tunnel) int { return int(a.ID) - int(b.ID) })
	c.watch(h, to)
	if links.Tick == h.wanted.Tick && slices.Equal(links.Tunnels, h.wanted.Tunnels) {
		return
	}
	h.wanted = links
	if c.hosts != nil {
		c.hosts.SetLinks(h.key.Name, links)
	}
	c.dirty.phases[&h.object] = true
}

// watch notes which hosts a host sees the liveness of.
func (c *Controller) watch(h *host, to map[*host]bool) {
	for k := range h.watches {
		if !to[k] {
			delete(k.watchers, h)
			delete(h.linkNew, k.spec.Allocated.ID)
			delete(h.linkMade, k.spec.Allocated.ID)
		}
	}
	for k := range to {
		if k != h && !k.watchers[h] {
			k.watchers[h] = true
			h.linkNew[k.spec.Allocated.ID] = c.now()
			if c.isLoaded() {
				h.linkMade[k.spec.Allocated.ID] = c.now()
			}
		}
	}
	h.watches = to
}
