package controller

import (
	"fmt"
	"slices"

	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file decides where endpoints are.

// portsReported takes in a host's full list of ports.
func (c *Controller) portsReported(h *host, ports []ovsdb.Port) {
	first := h.ports == nil
	now := make(map[string]ovsdb.Port, len(ports))
	for _, p := range ports {
		if q, ok := now[p.InterfaceID]; ok && q.OFPort != 0 {
			continue // two ports with one iface-id: the first that works
		}
		now[p.InterfaceID] = p
	}
	before := h.ports
	h.ports = now
	for id := range before {
		if _, ok := now[id]; !ok {
			c.unclaim(h, id)
		}
	}
	for id, p := range now {
		if q, ok := before[id]; !ok || q != p {
			c.claimed(h, p, first)
		}
	}
	if first {
		// Bindings that the host turns out not to have.
		for e := range h.endpoints {
			if _, ok := now[e.spec.Allocated.InterfaceID]; !ok {
				c.rebind(e)
			}
		}
	}
}

func (c *Controller) claimed(h *host, p ovsdb.Port, first bool) {
	claims := c.model.claims[p.InterfaceID]
	i := slices.IndexFunc(claims, func(cl claim) bool { return cl.host == h })
	if i < 0 {
		cl := claim{host: h}
		if !first {
			c.model.order++
			cl.order = c.model.order
		}
		i = len(claims)
		claims = append(claims, cl)
		c.model.claims[p.InterfaceID] = claims
	}
	claims[i].port = p
	if e := c.model.byInterface[p.InterfaceID]; e != nil {
		c.rebind(e)
		if e.function != nil && e.host == h {
			c.functionDirty(e.function) // its link may be up or down
		}
	}
}

func (c *Controller) unclaim(h *host, id string) {
	claims := slices.DeleteFunc(c.model.claims[id], func(cl claim) bool { return cl.host == h })
	if c.model.claims[id] = claims; len(claims) == 0 {
		delete(c.model.claims, id)
	}
	if e := c.model.byInterface[id]; e != nil {
		c.rebind(e)
	}
}

// rebind decides which host has the endpoint. The newest claim wins, so that the
// target of a live migration takes over while the source still has the port.
// Without a claim the last known host keeps it until that host says otherwise.
func (c *Controller) rebind(e *endpoint) {
	claims := c.model.claims[e.spec.Allocated.InterfaceID]
	var first *claim
	for i := range claims {
		if first == nil || c.better(e, &claims[i], first) {
			first = &claims[i]
		}
	}
	var best *host
	if first != nil {
		best = first.host
	}
	unheard := e.host != nil && e.host.ports == nil
	switch {
	case best == nil && (unheard || e.binding != nil && e.host == nil):
		return
	case best == nil:
		c.place(e, nil)
		return
	case unheard && first.order == 0 && best != e.host:
		return // an old report of another host; wait for the bound one's
	}
	if len(claims) > 1 && best != e.host && e.host != nil {
		c.event(topology.EventConflict, e.key, best.key.Name,
			fmt.Sprintf("hosts %s and %s both have interface %s; the newer one, %s, is bound", e.host.key.Name, best.key.Name, e.spec.Allocated.InterfaceID, best.key.Name))
	}
	p := first.port
	b := &topology.Binding{Endpoint: e.key, Host: best.key.Name, Port: p.Name, OFPort: p.OFPort, Since: c.now()}
	b.MAC, e.mismatch = attachedMAC(e, p)
	if p.OFPort == 0 {
		if e.host != best || e.binding == nil {
			return // the switch has not built the port yet
		}
		b.OFPort = e.binding.OFPort // it is building it again; keep what is there
	}
	c.place(e, b)
}

// better says whether claim a beats claim b.
func (c *Controller) better(e *endpoint, a, b *claim) bool {
	if usable := a.port.OFPort != 0; usable != (b.port.OFPort != 0) {
		return usable
	}
	if a.order != b.order {
		return a.order > b.order
	}
	if (a.host == e.host) != (b.host == e.host) {
		return a.host == e.host
	}
	return a.host.key.Name < b.host.key.Name
}

// attachedMAC honours external_ids:attached-mac: an endpoint whose MAC was derived
// has the port's while it is bound there; one whose MAC was chosen keeps it, and
// says that they differ.
func attachedMAC(e *endpoint, p ovsdb.Port) (mac topology.MAC, mismatch string) {
	if p.AttachedMAC == "" || p.AttachedMAC == e.spec.Allocated.MAC.String() {
		return topology.MAC{}, ""
	}
	mac, err := topology.ParseMAC(p.AttachedMAC)
	if err != nil || mac[0]&1 != 0 || mac.Reserved() {
		return topology.MAC{}, fmt.Sprintf("port %s has attached-mac %q, which no endpoint can have", p.Name, p.AttachedMAC)
	}
	if !e.spec.Spec.MAC.IsZero() {
		return topology.MAC{}, fmt.Sprintf("port %s has attached-mac %s, the endpoint's spec has MAC %s: its packets are dropped as spoofed; make them equal, or leave out spec.mac", p.Name, mac, e.spec.Spec.MAC)
	}
	for o := range e.net.endpoints {
		if o != e && o.mac() == mac {
			return topology.MAC{}, fmt.Sprintf("port %s has attached-mac %s, which is that of %s in the same network", p.Name, mac, o.key)
		}
	}
	return mac, ""
}

// place moves an endpoint to a binding, or to nowhere.
func (c *Controller) place(e *endpoint, b *topology.Binding) {
	old, oldHost := e.binding, e.host
	if old == nil && b == nil {
		return
	}
	var h *host
	if b != nil {
		h = c.model.hosts[b.Host]
	}
	if old != nil && b != nil && old.Host == b.Host && old.Port == b.Port && old.OFPort == b.OFPort && old.MAC == b.MAC && oldHost == h {
		c.dirty.phases[&e.object] = true
		return
	}
	e.binding, e.host = b, h
	c.dirty.bindings[e] = true
	c.dirty.local[e] = true
	c.dirty.phases[&e.object] = true
	if oldHost != h {
		if oldHost != nil {
			c.leave(e, oldHost)
		}
		if h != nil {
			c.arrive(e, h)
		}
	} else if h != nil {
		c.dirty.flood[hostNet{h, e.net}] = true
	}
	c.dirty.remote[e] = true
	c.endpointMoved(e)
	switch {
	case b == nil:
		c.event(topology.EventUnbound, e.key, old.Host, fmt.Sprintf("port %s is gone from host %s", old.Port, old.Host))
	case old == nil || old.Host != b.Host:
		c.event(topology.EventBound, e.key, b.Host, fmt.Sprintf("bound to port %s of host %s", b.Port, b.Host))
	}
}

func (c *Controller) arrive(e *endpoint, h *host) {
	h.endpoints[e] = true
	h.nets[e.net]++
	e.net.hosts[h]++
	c.dirty.flood[hostNet{h, e.net}] = true
	if h.nets[e.net] == 1 {
		c.dirty.members[e.net] = true
		c.dirty.plans[h] = true
	}
}

func (c *Controller) leave(e *endpoint, h *host) {
	delete(h.endpoints, e)
	h.nets[e.net]--
	e.net.hosts[h]--
	c.dirty.flood[hostNet{h, e.net}] = true
	if h.nets[e.net] == 0 {
		delete(h.nets, e.net)
		delete(e.net.hosts, h)
		c.dirty.members[e.net] = true
		c.dirty.plans[h] = true
	}
}

// bindingLoaded takes in a stored binding at start. Later the loop itself is the
// one that stores them.
func (c *Controller) bindingLoaded(b *topology.Binding) {
	e := c.model.endpoints[b.Endpoint]
	if e == nil || e.binding != nil {
		return
	}
	c.place(e, b)
	delete(c.dirty.bindings, e)
}

// adoptBindings links a host that was not known yet to stored bindings that name it.
func (c *Controller) adoptBindings(h *host) {
	for _, e := range c.model.endpoints {
		if e.binding != nil && e.host == nil && e.binding.Host == h.key.Name {
			e.host = h
			c.arrive(e, h)
			c.dirty.local[e], c.dirty.remote[e] = true, true
		}
	}
}
