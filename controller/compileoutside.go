package controller

import (
	"fmt"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file compiles external networks, gateways, routers and floating IPs.

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
		list[g] = &pipeline.Attachment{Router: r.spec, At: *at, Gateway: g.spec, External: g.ext.spec, Networks: r.networks(), Services: c.servicesOf(r, g), Chained: len(r.chains) > 0}
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
		flows = append(flows, pipeline.Inside(r.spec, r.networks(), len(r.chains) > 0)...)
	}
	for _, a := range c.attachments(r) {
		flows = append(flows, pipeline.Exit(a)...)
	}
	if len(r.chains) > 0 {
		flows = append(flows, pipeline.Scope(r.spec, r.networks())...)
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
	c.leadAway(f, view)
	if f.on == nil {
		c.set(&f.object, f.gw.ext.feed, nil)
		return
	}
	c.set(&f.object, f.on, pipeline.FloatingIP(view))
	c.set(&f.object, f.gw.ext.feed, pipeline.OwnAddress(pipeline.ExternalNumber(f.gw.ext.spec), view.Address, view.MAC))
}

// leadAway has what a floating IP's endpoint sends come back to its host from behind the
// chains of its router, if it is translated there.
func (c *Controller) leadAway(f *floating, view pipeline.Floating) {
	var away *follow
	if f.here != nil {
		for e := range f.targets {
			if r := e.net.router; r != nil && len(r.chains) > 0 {
				away = r.feed
			}
		}
	}
	if f.away != nil && f.away != away {
		c.set(&f.object, f.away, nil)
	}
	if f.away = away; away != nil {
		c.set(&f.object, away, pipeline.FloatingAway(view, f.here.vtep()))
	}
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
