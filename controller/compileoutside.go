package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file compiles what leads outside.

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
			peers[k] = true
		}
	}
	for e := range h.endpoints {
		for f := range e.floats {
			if f.here == h {
				exts[f.gw.ext] = true
			}
		}
	}
	delete(peers, h)
	links := heardPorts(h, linked, peers)
	for g := range want {
		var heard []uint32
		if guarded[g] {
			heard = links
		}
		c.compileGroups(h, g, heard)
	}
	c.connect(h, exts)
	if len(guarded) == 0 {
		links = nil
	}
	c.show(h, lanes, peers, links)
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

// show is what a host has that carries gateways, or is a witness. heard are the links by
// which it knows that it is not cut off; none if it does not care.
func (c *Controller) show(h *host, lanes []pipeline.LaneHere, peers map[*host]bool, heard []uint32) {
	owner := h.key.String()
	if len(lanes) == 0 {
		var flows []openflow.Flow
		if slices.Contains(c.witnesses, h) {
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

// link has the host provisioned with the tunnels whose liveness it goes by; those to
// peers, which carry gateways that it carries, show whether they see it as well.
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
		}
	}
	for k := range to {
		if k != h && !k.watchers[h] {
			k.watchers[h] = true
			h.linkNew[k.spec.Allocated.ID] = c.now()
		}
	}
	h.watches = to
}

func (c *Controller) compileExternal(x *external) {
	c.dirty.routes[x] = true
	c.set(&x.object, x.feed, pipeline.External(x.spec, x.hops))
}

func (c *Controller) compileGateway(g *gateway) {
	c.set(&g.object, g.feed, pipeline.Gateway(g.spec, g.ext.spec))
	var own []openflow.Flow
	for _, l := range g.spec.Allocated.Lanes {
		for _, a := range l.Addresses {
			own = append(own, pipeline.OwnAddress(pipeline.ExternalNumber(g.ext.spec), a, l.MAC)...)
		}
	}
	c.set(&g.object, g.ext.feed, own)
}

// attachments are a router's, at the gateways that are there.
func (c *Controller) attachments(r *router) map[*gateway]*pipeline.Attachment {
	list := map[*gateway]*pipeline.Attachment{}
	for g := range r.exits {
		at := r.spec.Attachment(g.key.Name)
		if at == nil {
			continue
		}
		list[g] = &pipeline.Attachment{Router: r.spec, At: *at, Gateway: g.spec, External: g.ext.spec, Networks: r.networks(), Services: c.servicesOf(r, g)}
	}
	return list
}

func (r *router) networks() []*topology.Network {
	nets := make([]*topology.Network, len(r.nets))
	for i, n := range r.nets {
		nets[i] = n.spec
	}
	return nets
}

// compileAttached compiles a router's part of its gateways.
func (c *Controller) compileAttached(r *router) {
	parts := map[*follow][]openflow.Flow{}
	for g, a := range c.attachments(r) {
		parts[g.feed] = append(parts[g.feed], pipeline.AtGateway(a)...)
		lane := g.spec.Allocated.Lanes[g.spec.Lane(r.spec.Allocated.ID)]
		for _, addr := range a.At.Addresses {
			parts[g.ext.feed] = append(parts[g.ext.feed], pipeline.OwnAddress(pipeline.ExternalNumber(g.ext.spec), addr, lane.MAC)...)
		}
	}
	for f := range r.parts {
		if parts[f] == nil {
			c.set(&r.object, f, nil)
		}
	}
	for g := range r.exits {
		c.dirty.routes[g.ext] = true
	}
	r.parts = map[*follow]bool{}
	for f, flows := range parts {
		r.parts[f] = true
		c.set(&r.object, f, flows)
	}
}

// compileRouter compiles a router's part for the hosts of its routing domain.
func (c *Controller) compileRouter(r *router) {
	flows := pipeline.Router(r.spec, r.networks())
	if len(r.exits) > 0 {
		flows = append(flows, pipeline.Inside(r.spec, r.networks())...)
	}
	for _, a := range c.attachments(r) {
		flows = append(flows, pipeline.Exit(a)...)
	}
	c.set(&r.object, r.feed, flows)
}

// moveFloat decides where a floating IP is translated, and returns it as it is there.
func (c *Controller) moveFloat(f *floating) pipeline.Floating {
	view, here := c.viewFloat(f)
	on := f.gw.feed
	switch {
	case len(view.Targets) == 0:
		on = nil
	case here != nil:
		on = here.feed
	}
	c.placeFloat(f, on, here, view.MAC)
	c.indexFloat(f, view.Targets, here == nil)
	c.dirty.phases[&f.object] = true
	return view
}

// compileFloat compiles a floating IP for where it is translated.
func (c *Controller) compileFloat(f *floating, view pipeline.Floating) {
	if f.on == nil {
		c.set(&f.object, f.gw.ext.feed, nil)
		return
	}
	c.set(&f.object, f.on, pipeline.FloatingIP(view))
	c.set(&f.object, f.gw.ext.feed, pipeline.OwnAddress(pipeline.ExternalNumber(f.gw.ext.spec), view.Address, view.MAC))
}

// indexFloat has a floating IP found by the addresses that it stands for, and ICMP errors
// from those sent up.
func (c *Controller) indexFloat(f *floating, targets []pipeline.Target, atGateway bool) {
	g, touched := f.gw, f.inside
	for _, k := range f.inside {
		if delete(g.inside[k], f); len(g.inside[k]) == 0 {
			delete(g.inside, k)
		}
	}
	f.inside = nil
	for _, t := range targets {
		k := insideAt{t.At.VNI, t.Inside}
		if g.inside[k] == nil {
			g.inside[k] = map[*floating]bool{}
		}
		g.inside[k][f] = atGateway
		f.inside = append(f.inside, k)
	}
	for _, k := range append(touched, f.inside...) {
		var entries []openflow.Entry
		for _, there := range g.inside[k] {
			if there {
				entries = c.seal(g.key.String(), pipeline.Quotes(k.vni, k.addr))
				break
			}
		}
		// Its owner is none of the floating IPs: what one gives up, the others would lose.
		g.feed.Set(fmt.Sprintf("%s errors of %s in %d", g.key, k.addr, k.vni), entries)
	}
}

// placeFloat moves a floating IP to a feed, or to nowhere.
func (c *Controller) placeFloat(f *floating, on *follow, here *host, mac topology.MAC) {
	if f.on != nil && f.on != on {
		c.set(&f.object, f.on, nil)
	}
	if f.here != here {
		for _, h := range []*host{f.here, here} {
			if h != nil {
				c.dirty.outside[h] = true
			}
		}
	}
	if c.model.floatMACs[f.mac] == f {
		delete(c.model.floatMACs, f.mac)
	}
	if here != nil {
		c.model.floatMACs[mac] = f
	}
	moved := on != nil && (f.on != on || f.mac != mac)
	f.on, f.here, f.mac = on, here, mac
	if moved {
		c.announceFloat(f)
	}
}

// viewFloat is a floating IP as the compiler wants it, and the host of its endpoint if
// it is translated there: that must have a bridge to the external network.
func (c *Controller) viewFloat(f *floating) (view pipeline.Floating, here *host) {
	x := f.gw.ext
	view = pipeline.Floating{Address: f.spec.Allocated.Address, External: x.spec, Sources: f.spec.Spec.Sources}
	f.problem = ""
	lane := -1
	for _, t := range f.spec.Targets(func(k topology.Key) *topology.Endpoint {
		if e := c.model.endpoints[k]; e != nil {
			return e.spec
		}
		return nil
	}) {
		e := c.model.endpoints[t.Endpoint]
		r := e.net.router
		if r == nil || !r.exits[f.gw] || r.at(f.gw).ServicesOnly {
			f.problem = "the network of " + e.key.String() + " has no router that is connected to gateway " + f.gw.key.Name
			continue
		}
		if e.host == nil || !e.host.vtep().IsValid() {
			f.problem = e.key.String() + " is not bound to a host"
			continue
		}
		view.Targets = append(view.Targets, pipeline.Target{Target: t, Router: r.spec.Allocated.ID, At: *r.spec.Attachment(f.gw.key.Name), MTU: e.net.spec.Allocated.MTU})
		if lane < 0 {
			lane = f.gw.spec.Lane(r.spec.Allocated.ID)
		}
		if t.Protocol == "" && x.mapped(e.host) {
			here = e.host
		}
	}
	if len(view.Targets) == 0 {
		return view, nil
	}
	view.Here, view.MAC = here != nil, pipeline.FloatingMAC(x.spec, view.Address)
	if here == nil {
		view.MAC, view.Gate = f.gw.spec.Allocated.Lanes[lane].MAC, pipeline.GroupID(f.gw.spec, lane, pipeline.GroupGate)
	}
	return view, here
}

// at is what the router's spec says of a gateway.
func (r *router) at(g *gateway) topology.RouterGateway {
	i := slices.IndexFunc(r.spec.Spec.Gateways, func(rg topology.RouterGateway) bool { return rg.Name == g.key.Name })
	if i < 0 {
		return topology.RouterGateway{}
	}
	return r.spec.Spec.Gateways[i]
}
