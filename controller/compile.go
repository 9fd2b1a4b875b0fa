package controller

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// flush compiles what is dirty into the feeds, and then brings plans up to date,
// so that a new follower of a feed gets the newest state at once. It returns the
// bindings to be stored.
func (c *Controller) flush() []*endpoint {
	for h := range c.dirty.plans {
		c.dirty.outside[h] = c.dirty.outside[h] || len(c.model.gateways) > 0 || len(h.gateways) > 0 || len(c.model.chains) > 0 || len(h.functions) > 0
		c.dirty.steering[h] = c.dirty.steering[h] || len(c.model.chains) > 0 || len(h.functions) > 0
	}
	d := c.dirty
	c.dirty = newDirty()
	for h := range d.base {
		c.compileBase(h)
	}
	for e := range d.local {
		c.compileLocal(e)
	}
	for k := range d.flood {
		c.compileFlood(k.host, k.net)
	}
	for e := range d.remote {
		c.compileRemote(e)
	}
	for n := range d.members {
		c.compileMembers(n)
	}
	c.flushOutside(d)
	c.flushChains(d)
	for r := range d.routers {
		c.compileRouter(r)
	}
	maps.Copy(d.plans, c.dirty.plans)
	clear(c.dirty.plans)
	grown := map[*host][]*follow{}
	for h := range d.plans {
		grown[h] = c.plan(h)
	}
	c.awaitPlans(d, grown)
	for o := range d.phases {
		c.dirty.phases[o] = true
	}
	maps.Copy(c.dirty.routes, d.routes)
	stored := make([]*endpoint, 0, len(d.bindings))
	for e := range d.bindings {
		stored = append(stored, e)
	}
	return stored
}

// flushOutside compiles what leads outside. Switches may take from the feeds at any
// moment, and refuse flows to groups that they do not have: groups come before the
// flows that use them.
func (c *Controller) flushOutside(d dirty) {
	floats := make(map[*floating]pipeline.Floating, len(d.floats))
	for f := range d.floats {
		floats[f] = c.moveFloat(f)
	}
	maps.Copy(d.outside, c.dirty.outside) // hosts that a floating IP has come to or left
	clear(c.dirty.outside)
	for h, needed := range d.outside {
		if needed && c.model.hosts[h.key.Name] == h {
			c.compileOutside(h)
		}
	}
	for f, view := range floats {
		c.compileFloat(f, view)
	}
	for x := range d.externals {
		c.compileExternal(x)
	}
	for g := range d.gateways {
		c.compileGateway(g)
	}
	for r := range d.attached {
		c.compileAttached(r)
	}
}

// awaitPlans has the objects that made hosts follow more feeds wait for those that
// are of their domain.
func (c *Controller) awaitPlans(d dirty, grown map[*host][]*follow) {
	domains := map[*network]map[*follow]bool{}
	of := func(n *network) map[*follow]bool {
		if domains[n] == nil {
			domains[n] = map[*follow]bool{}
			domain(n, domains[n])
		}
		return domains[n]
	}
	await := func(o *object, n *network, h *host) {
		for _, f := range grown[h] {
			if f == h.feed || of(n)[f] {
				c.await(o, f)
			}
		}
	}
	for e := range d.local {
		if e.host != nil && e.net != nil {
			await(&e.object, e.net, e.host)
		}
	}
	for r := range d.routers {
		for _, n := range r.nets {
			for h := range n.hosts {
				await(&r.object, n, h)
			}
		}
	}
	for r := range d.attached {
		for g := range r.exits {
			for _, h := range c.carriers(g) {
				for _, n := range r.nets {
					await(&r.object, n, h)
				}
			}
		}
	}
	c.awaitOutside(d, grown)
	c.awaitChains(d, grown)
}

// awaitOutside has gateways wait for hosts that have come to carry them, floating IPs
// for hosts that they have come to, and services for the routers that lead there.
func (c *Controller) awaitOutside(d dirty, grown map[*host][]*follow) {
	await := func(o *object, h *host, feeds ...*follow) {
		for _, f := range grown[h] {
			if slices.Contains(feeds, f) {
				c.await(o, f)
			}
		}
	}
	for g := range d.gateways {
		for _, h := range c.carriers(g) {
			await(&g.object, h, g.feed, g.ext.feed)
		}
	}
	for f := range d.floats {
		if f.here != nil {
			await(&f.object, f.here, f.gw.ext.feed)
		}
	}
	for o, routers := range d.awaiting {
		for _, r := range routers {
			c.await(o, r.feed)
			for f := range r.parts {
				c.await(o, f)
			}
		}
	}
}

func (c *Controller) compileBase(h *host) {
	if !h.vtep().IsValid() {
		return
	}
	var entries []openflow.Entry
	for _, m := range pipeline.BaseMeters() {
		e, err := openflow.EncodeMeter(m)
		if err != nil {
			c.log.Error().Err(err).Msg("encoding a meter")
			continue
		}
		entries = append(entries, e)
	}
	c.setEntries(&h.object, h.feed, pipeline.BaseSource, append(entries, c.seal(pipeline.BaseSource, pipeline.Base(h.vtep()))...))
}

func (c *Controller) compileLocal(e *endpoint) {
	if e.localOn != nil && e.localOn != e.host {
		c.set(&e.object, e.localOn.feed, nil)
		e.localOn = nil
	}
	if e.host != nil {
		c.set(&e.object, e.host.feed, pipeline.EndpointLocal(e.net.spec, e.bound(), e.binding.OFPort))
		e.localOn = e.host
	}
}

func (c *Controller) compileRemote(e *endpoint) {
	if e.host == nil || !e.host.vtep().IsValid() {
		c.set(&e.object, e.net.feed, nil)
		return
	}
	c.set(&e.object, e.net.feed, pipeline.EndpointRemote(e.net.spec, e.bound(), e.host.vtep()))
}

func (c *Controller) compileFlood(h *host, n *network) {
	var ports []uint32
	for e := range h.endpoints {
		if e.net == n {
			ports = append(ports, e.binding.OFPort)
		}
	}
	slices.Sort(ports)
	c.set(&n.object, h.feed, pipeline.NetworkLocal(n.spec, ports))
}

func (c *Controller) compileMembers(n *network) {
	var m pipeline.Members
	for h := range n.hosts {
		if h.vtep().IsValid() {
			m.VTEPs = append(m.VTEPs, h.vtep())
		}
	}
	slices.SortFunc(m.VTEPs, netip.Addr.Compare)
	for e := range n.endpoints {
		for _, a := range e.spec.Spec.AllowedAddresses {
			m.Shared = append(m.Shared, a.Prefix)
			if !a.MAC.IsZero() && a.MAC != e.mac() {
				m.SharedMACs = append(m.SharedMACs, a.MAC)
			}
		}
	}
	slices.SortFunc(m.Shared, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	m.Shared = slices.Compact(m.Shared)
	slices.SortFunc(m.SharedMACs, func(a, b topology.MAC) int { return slices.Compare(a[:], b[:]) })
	m.SharedMACs = slices.Compact(m.SharedMACs)
	c.set(&n.object, n.feed, pipeline.Network(n.spec, m))
}

// set makes flows the object's whole part of a feed, and has the object wait for
// the feed's followers.
func (c *Controller) set(o *object, f *follow, flows []openflow.Flow) {
	owner := o.key.String()
	c.setEntries(o, f, owner, c.seal(owner, flows))
}

func (c *Controller) setEntries(o *object, f *follow, owner string, entries []openflow.Entry) {
	before := f.Seq()
	seq := f.Set(owner, entries)
	if seq == before {
		return
	}
	for r := range o.refused {
		if r.feed == f {
			delete(o.refused, r)
		}
	}
	c.awaitSeq(o, f, seq)
}

func (c *Controller) seal(source string, flows []openflow.Flow) []openflow.Entry {
	if len(flows) == 0 {
		return nil
	}
	c.metrics.fragments.Inc()
	entries, err := openflow.Seal(source, flows)
	if err != nil {
		// A flow that has no wire form is a defect of the compiler; the rest of the
		// network must not suffer from it.
		c.log.Error().Err(err).Str("source", source).Msg("encoding flows")
		c.metrics.compileErrors.Inc()
	}
	return entries
}
