package controller

import (
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// This file takes the intent of service functions and chains into the model and marks
// what it makes dirty.

// function is a service function.
type function struct {
	object
	spec *topology.ServiceFunction
	feed *follow // for every host that sends to it
	// endpoints are its instances', as far as they are there.
	endpoints map[*endpoint]bool
	chains    map[*chain]bool
	// hosts have its groups.
	hosts map[*host]bool
	// health is of the instances that are asked whether they work, by number.
	health map[int]*health
	// conditions are how its instances were when they were looked at last, by number.
	conditions map[int]condition
}

// chain leads through functions.
type chain struct {
	object
	spec   *topology.Chain
	feed   *follow // for every host of its router's domain, and of its functions
	router *router
	// way is how packets go now, nil if none do yet; next is how they will, nil if that is
	// the same.
	way, next *way
	stage     stage
	drained   time.Time // when draining is over
	dying     bool      // it is no more, but for packets that are on their way
	// hops are the functions of both ways.
	hops []*function
}

func (c *Controller) functionChanged(before, after *topology.ServiceFunction) {
	if after == nil {
		f := c.model.functions[before.Key()]
		c.forgetDying(func(ch *chain) bool { return slices.Contains(ch.hops, f) })
		c.staff(f, nil)
		delete(c.model.functions, before.Key())
		delete(c.dirty.functions, f)
		for h := range f.hosts {
			c.dirty.steering[h] = true
		}
		c.remove(&f.object, f.feed)
		return
	}
	f := c.model.functions[after.Key()]
	if f == nil {
		f = &function{object: newObject(after.Key()), feed: newFollow(after.Key().String()),
			endpoints: map[*endpoint]bool{}, chains: map[*chain]bool{}, hosts: map[*host]bool{}, health: map[int]*health{}}
		c.model.functions[after.Key()] = f
	}
	f.spec = after
	c.staff(f, after)
	c.functionDirty(f)
	for ch := range f.chains {
		c.chainDirty(ch)
	}
}

// staff makes the endpoints of a function's instances its own.
func (c *Controller) staff(f *function, after *topology.ServiceFunction) {
	now := map[*endpoint]bool{}
	if after != nil {
		for _, key := range after.Endpoints() {
			if e := c.model.endpoints[key]; e != nil {
				now[e] = true
			}
		}
	}
	for e := range f.endpoints {
		if !now[e] {
			e.function = nil
			c.replanEndpoint(e)
		}
	}
	for e := range now {
		if e.function != f {
			e.function = f
			c.replanEndpoint(e)
		}
	}
	f.endpoints = now
}

func (c *Controller) replanEndpoint(e *endpoint) {
	if e.host != nil {
		c.dirty.plans[e.host] = true
	}
}

// functionDirty has everything of a function compiled again.
func (c *Controller) functionDirty(f *function) {
	c.tendHealth(f)
	c.dirty.functions[f] = true
	c.dirty.phases[&f.object] = true
	for h := range f.hosts {
		c.dirty.steering[h] = true
		c.dirty.outside[h] = true // they watch the hosts of its instances
	}
}

func (c *Controller) chainChanged(before, after *topology.Chain) {
	if after == nil {
		ch := c.model.chains[before.Key()]
		delete(c.model.chains, before.Key())
		c.model.removed[ch.key] = &ch.object
		c.endChain(ch)
		return
	}
	ch := c.model.chains[after.Key()]
	if ch == nil {
		c.forgetDying(func(old *chain) bool { return old.key == after.Key() })
		ch = &chain{object: newObject(after.Key()), feed: newFollow(after.Key().String()), router: c.model.routers[after.RouterKey()]}
		ch.router.chains[ch] = true
		c.model.chains[after.Key()] = ch
		c.routerSteers(ch.router)
	}
	ch.spec = after
	c.turn(ch)
	c.chainDirty(ch)
}

// forgetDying forgets those of the chains at once that are no more, but whose packets may
// still be on their way.
func (c *Controller) forgetDying(which func(*chain) bool) {
	for ch := range c.changing {
		if ch.dying && which(ch) {
			c.forgetChain(ch)
		}
	}
}

func (c *Controller) leaveFunction(ch *chain, f *function) {
	delete(f.chains, ch)
	c.functionShared(f)
	c.markHosts(c.dirty.plans, f)
}

// functionShared has those compiled again who go by which chains a function is in.
func (c *Controller) functionShared(f *function) {
	c.functionDirty(f)
	for ch := range f.chains {
		c.dirty.chains[ch] = true
	}
}

// markHosts marks the hosts that have instances of a function.
func (c *Controller) markHosts(hosts map[*host]bool, f *function) {
	for e := range f.endpoints {
		if e.host != nil {
			hosts[e.host] = true
		}
	}
}

func (c *Controller) chainDirty(ch *chain) {
	c.dirty.chains[ch] = true
	c.dirty.phases[&ch.object] = true
	for _, f := range ch.hops {
		c.markHosts(c.dirty.steering, f)
	}
}

// routerSteers has a router compiled again that has its first chain, or lost its last one.
func (c *Controller) routerSteers(r *router) {
	c.dirty.routers[r] = true
	if len(r.exits) == 0 {
		return
	}
	c.dirty.attached[r] = true
	for _, n := range r.nets {
		for e := range n.endpoints {
			for f := range e.floats {
				c.dirty.floats[f] = true
			}
		}
	}
}

// replanChain has all hosts planned again that are concerned by a chain: those of the
// router's networks, those of gateways, and those of the functions.
func (c *Controller) replanChain(ch *chain) {
	c.replan(ch.router.nets)
	for g := range ch.router.exits {
		c.replanCarriers(g)
	}
	for _, f := range ch.hops {
		c.markHosts(c.dirty.plans, f)
	}
}

// chainsOf are the chains of the functions that have instances on a host.
func (h *host) chainsOf() map[*chain]bool {
	list := map[*chain]bool{}
	for e := range h.endpoints {
		if e.function != nil {
			for ch := range e.function.chains {
				list[ch] = true
			}
		}
	}
	return list
}

// steerEndpoint has chains compiled again that go by an endpoint: its address, labels
// and network, and where its port is.
func (c *Controller) steerEndpoint(e *endpoint) {
	if f := e.function; f != nil {
		c.functionDirty(f)
		for ch := range f.chains {
			c.dirty.chains[ch] = true
			c.replanChain(ch)
		}
		c.replanEndpoint(e)
	}
	if e.net == nil || e.net.router == nil {
		return
	}
	for ch := range e.net.router.chains {
		if ch.byLabels() {
			c.dirty.chains[ch] = true
		}
	}
}

func (ch *chain) byLabels() bool {
	labelled := func(s topology.Side) bool { return len(s.Labels) > 0 }
	return slices.ContainsFunc(ch.spec.Spec.Sources, labelled) || slices.ContainsFunc(ch.spec.Spec.Destinations, labelled)
}
