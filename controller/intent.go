package controller

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// This file takes changes of the intent into the model and marks what they make
// dirty.

func (c *Controller) hostChanged(before, after *topology.Host) {
	if after == nil {
		c.hostRemoved(c.model.hosts[before.Metadata.Name])
		return
	}
	h := c.model.hosts[after.Metadata.Name]
	if h == nil {
		h = c.newHost(after)
		c.model.hosts[after.Metadata.Name] = h
		c.adoptBindings(h)
	}
	old := h.spec
	h.spec = after
	if before == nil || old.Allocated.DatapathID != after.Allocated.DatapathID {
		delete(c.model.byDPID, old.Allocated.DatapathID)
		c.model.byDPID[after.Allocated.DatapathID] = h
		c.dirty.plans[h] = true
	}
	if before == nil || old.Allocated.EncapIP != after.Allocated.EncapIP {
		c.dirty.base[h] = true
		for e := range h.endpoints {
			c.dirty.remote[e] = true
			if e.function != nil {
				c.functionDirty(e.function)
			}
		}
		for n := range h.nets {
			c.dirty.members[n] = true
		}
		c.probeAgain(h)
	}
	if before == nil || old.Allocated.EncapIP != after.Allocated.EncapIP || old.Allocated.ID != after.Allocated.ID ||
		!maps.Equal(old.Allocated.BridgeMappings, after.Allocated.BridgeMappings) {
		c.hostOutsideChanged(h)
	}
	c.dirty.phases[&h.object] = true
}

func (c *Controller) newHost(spec *topology.Host) *host {
	h := &host{
		object:    newObject(spec.Key()),
		spec:      spec,
		feed:      newFollow(spec.Key().String()),
		follows:   map[*follow]bool{},
		endpoints: map[*endpoint]bool{},
		nets:      map[*network]int{},
		unproved:  map[*host]*probe{},
		refusals:  map[*object]bool{},
		gateways:  map[*gateway]bool{},
		externals: map[*external]bool{},
		linkNew:   map[uint32]time.Time{},
		linkMade:  map[uint32]time.Time{},
		asked:     map[uint32]*health{},
		watchers:  map[*host]bool{},
		awaySince: c.now(),
	}
	h.since = c.now()
	return h
}

// hostRemoved forgets a host for good. Its bindings were removed before: the
// store refuses otherwise.
func (c *Controller) hostRemoved(h *host) {
	if h == nil {
		return
	}
	for f := range h.follows {
		delete(f.followers, h)
		c.sweep[f] = true
	}
	c.forgetRefusals(h, nil)
	if h.ovsdbUp {
		c.metrics.hosts.WithLabelValues("ovsdb").Dec()
	}
	if h.openflowUp {
		c.metrics.hosts.WithLabelValues("openflow").Dec()
	}
	for id := range h.ports {
		c.unclaim(h, id)
	}
	for _, o := range c.model.hosts {
		delete(o.unproved, h)
		delete(o.watchers, h)
		delete(o.linkNew, h.spec.Allocated.ID)
		delete(o.linkMade, h.spec.Allocated.ID)
	}
	c.switches.Forget(h.spec.Allocated.DatapathID)
	delete(c.model.byDPID, h.spec.Allocated.DatapathID)
	delete(c.model.hosts, h.key.Name)
	delete(c.lingering, h)
	delete(c.dirty.plans, h)
	delete(c.dirty.base, h)
	c.chooseWitnesses()
	delete(c.dirty.outside, h)
	delete(c.dirty.steering, h)
	for f := range h.functions {
		delete(f.hosts, h)
	}
	for _, g := range c.model.gateways {
		delete(g.hosts, h)
		if g.names(h.key.Name) {
			c.gatewayDirty(g)
			c.dirty.phases[&g.object] = true
		}
	}
	c.finish(&h.object)
}

func (c *Controller) tenantChanged(before, after *topology.Tenant) {
	if after == nil {
		c.finish(c.model.tenants[before.Key()])
		delete(c.model.tenants, before.Key())
		return
	}
	if before == nil {
		o := newObject(after.Key())
		c.model.tenants[after.Key()] = &o
		c.dirty.phases[&o] = true
	}
}

func (c *Controller) networkChanged(before, after *topology.Network) {
	if after == nil {
		n := c.model.networks[before.Key()]
		delete(c.model.networks, before.Key())
		delete(c.dirty.members, n)
		c.remove(&n.object, n.feed)
		return
	}
	n := c.model.networks[after.Key()]
	if n == nil {
		n = &network{
			object:    newObject(after.Key()),
			feed:      newFollow(after.Key().String()),
			endpoints: map[*endpoint]bool{},
			hosts:     map[*host]int{},
		}
		c.model.networks[after.Key()] = n
	}
	old := n.spec
	n.spec = after
	c.dirty.members[n] = true
	c.dirty.phases[&n.object] = true
	if n.router != nil {
		c.dirty.routers[n.router] = true
		c.dirty.attached[n.router] = true
		for ch := range n.router.chains {
			c.chainDirty(ch)
		}
		for e := range n.endpoints {
			c.endpointMoved(e) // its floating IP goes by the MTU
		}
	}
	if old != nil && !slices.Equal(old.Allocated.Subnets, after.Allocated.Subnets) {
		// Whether a network has IPv6 decides about link-local addresses.
		for e := range n.endpoints {
			c.dirty.local[e], c.dirty.remote[e] = true, true
		}
	}
}

func (c *Controller) routerChanged(before, after *topology.Router) {
	if after == nil {
		r := c.model.routers[before.Key()]
		c.forgetDying(func(ch *chain) bool { return ch.router == r })
		c.join(r, nil)
		c.attach(r, nil)
		c.compileAttached(r)
		delete(c.dirty.attached, r)
		delete(c.model.routers, before.Key())
		delete(c.dirty.routers, r)
		c.remove(&r.object, r.feed)
		return
	}
	r := c.model.routers[after.Key()]
	if r == nil {
		r = &router{object: newObject(after.Key()), feed: newFollow(after.Key().String()), chains: map[*chain]bool{}}
		c.model.routers[after.Key()] = r
	}
	if r.spec == nil || !sameWays(r.spec, after) {
		var nets []*network
		for _, name := range after.Spec.Networks {
			if n := c.model.networks[after.NetworkKey(name)]; n != nil {
				nets = append(nets, n)
			}
		}
		c.join(r, nets)
		c.attach(r, after)
	}
	r.spec = after
	for ch := range r.chains {
		c.replanChain(ch)
		c.chainDirty(ch)
	}
	c.dirty.attached[r] = true
	c.dirty.routers[r] = true
	c.dirty.phases[&r.object] = true
}

// sameWays says whether two versions of a router join the same networks, and are
// connected to gateways alike: then it is nothing to anybody but those who have its flows.
func sameWays(a, b *topology.Router) bool {
	return slices.Equal(a.Spec.Networks, b.Spec.Networks) &&
		reflect.DeepEqual(a.Spec.Gateways, b.Spec.Gateways) && reflect.DeepEqual(a.Allocated, b.Allocated)
}

// join makes nets the networks of the router. Hosts of the routing domain, as it
// was and as it becomes, get a new plan.
func (c *Controller) join(r *router, nets []*network) {
	c.replan(r.nets)
	for _, n := range r.nets {
		if n.router == r {
			n.router = nil
		}
	}
	for _, n := range nets {
		n.router = r
	}
	for _, list := range [][]*network{r.nets, nets} {
		for _, n := range list {
			for e := range n.endpoints {
				c.endpointMoved(e)
			}
		}
	}
	r.nets = nets
	c.replan(nets)
}

func (c *Controller) replan(nets []*network) {
	for _, n := range nets {
		for h := range n.hosts {
			c.dirty.plans[h] = true
		}
	}
}

func (c *Controller) endpointChanged(before, after *topology.Endpoint) {
	if after == nil {
		c.endpointRemoved(c.model.endpoints[before.Key()])
		return
	}
	e := c.model.endpoints[after.Key()]
	if e == nil {
		e = &endpoint{object: newObject(after.Key())}
		c.model.endpoints[after.Key()] = e
	} else if before.NetworkKey() != after.NetworkKey() || before.Allocated.InterfaceID != after.Allocated.InterfaceID {
		// It becomes another endpoint; what the old one was is taken back.
		c.place(e, nil)
		c.detach(e)
	}
	e.spec = after
	if e.net == nil {
		e.net = c.model.networks[after.NetworkKey()]
		e.net.endpoints[e] = true
	}
	c.model.byInterface[after.Allocated.InterfaceID] = e
	if len(after.Spec.AllowedAddresses) > 0 || (before != nil && len(before.Spec.AllowedAddresses) > 0) {
		c.dirty.members[e.net] = true
	}
	c.dirty.local[e], c.dirty.remote[e] = true, true
	c.endpointMoved(e)
	c.dirty.phases[&e.object] = true
	c.rebind(e)
}

// detach takes an endpoint's fragments out of its network.
func (c *Controller) detach(e *endpoint) {
	// Another one may have got the interface id in the same change.
	if id := e.spec.Allocated.InterfaceID; c.model.byInterface[id] == e {
		delete(c.model.byInterface, id)
	}
	delete(e.net.endpoints, e)
	if len(e.spec.Spec.AllowedAddresses) > 0 {
		c.dirty.members[e.net] = true
	}
	c.set(&e.object, e.net.feed, nil)
	if e.localOn != nil {
		c.set(&e.object, e.localOn.feed, nil)
		e.localOn = nil
	}
	e.net = nil
}

func (c *Controller) endpointRemoved(e *endpoint) {
	c.place(e, nil)
	c.detach(e)
	delete(c.model.endpoints, e.key)
	delete(c.dirty.local, e)
	delete(c.dirty.remote, e)
	delete(c.dirty.bindings, e) // the store removed it with the endpoint
	c.remove(&e.object, nil)
}

// remove keeps a deleted object until every switch has acknowledged that. feed,
// if not nil, is the object's own feed, of which it is the last owner.
func (c *Controller) remove(o *object, feed *follow) {
	if feed != nil {
		c.set(o, feed, nil)
	}
	o.refused = nil
	c.model.removed[o.key] = o
	c.dirty.phases[o] = true
}
