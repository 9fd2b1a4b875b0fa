package controller

import (
	"net/netip"
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file takes the intent of external networks, gateways, floating IPs and services
// into the model and marks what it makes dirty.

// external is an external network.
type external struct {
	object
	spec *topology.ExternalNetwork
	feed *follow // for every host that sends there
	// gateways lead there; floats are in its subnets.
	gateways   map[*gateway]bool
	neighbours map[netip.Addr]*neighbour
	hops       pipeline.Hops
	keep       bool      // the neighbours have changed since they were stored
	keepAt     time.Time // when they may be stored again
	// recalled are neighbours of before a restart whose flows are not in the feed yet.
	recalled []*neighbour
}

// gateway joins routers to an external network.
type gateway struct {
	object
	spec *topology.Gateway
	ext  *external
	feed *follow // for the hosts that carry it
	// What refers to it.
	routers   map[*router]bool
	floats    map[*floating]bool
	byAddress map[netip.Addr]*floating
	services  map[*service]bool
	inside    map[insideAt]map[*floating]bool // what stands for an address; true if at the gateway's hosts
	// hosts have its groups.
	hosts map[*host]bool
	// active are the hosts that carried its lanes when that was last looked at, by the
	// hosts whose lanes they are; passes is whether packets passed then, why why not.
	active map[string]string
	passes topology.Phase
	why    string
}

// floating is a floating IP.
type floating struct {
	object
	spec *topology.FloatingIP
	gw   *gateway
	// targets are the endpoints that it stands for, as far as they are there.
	targets map[*endpoint]bool
	// on is the feed that has it; here is the host if that is the endpoint's own, nil if it
	// is at the gateway or nowhere.
	on   *follow
	here *host
	// away is the feed of its endpoint's router, if that has chains.
	away *follow
	mac  topology.MAC
	// inside are the addresses that it or its ports stand for.
	inside []insideAt
	// problem says why it stands for nothing.
	problem string
}

// insideAt is an address inside as a gateway knows it: with the VNI of the router's
// attachment, since tenants have the same ones.
type insideAt struct {
	vni  uint32
	addr netip.Addr
}

// exit is a router's way out by one gateway.
type exit struct {
	router *router
	gw     *gateway
}

// service is a service outside.
type service struct {
	object
	spec *topology.Service
	gw   *gateway
}

func (c *Controller) externalChanged(before, after *topology.ExternalNetwork) {
	if after == nil {
		x := c.model.externals[before.Key()]
		delete(c.model.externals, before.Key())
		delete(c.dirty.externals, x)
		for a := range x.neighbours {
			x.feed.Set(x.neighbourOwner(a), nil)
		}
		c.dirty.routes[x] = true
		c.forgotten = append(c.forgotten, x.key.Name)
		c.remove(&x.object, x.feed)
		return
	}
	x := c.model.externals[after.Key()]
	if x == nil {
		x = &external{object: newObject(after.Key()), feed: newFollow(after.Key().String()), gateways: map[*gateway]bool{}, neighbours: map[netip.Addr]*neighbour{}}
		c.model.externals[after.Key()] = x
		c.recall(x)
	}
	x.spec = after
	for _, n := range x.recalled {
		c.setNeighbour(x, n)
	}
	x.recalled = nil
	c.dirty.externals[x] = true
	c.dirty.phases[&x.object] = true
	for g := range x.gateways {
		c.replanCarriers(g) // other hosts are connected to another physical network
		c.gatewayDirty(g)
		for r := range g.routers {
			c.dirty.routers[r] = true
		}
	}
	c.expectHops(x)
}

func (c *Controller) gatewayChanged(before, after *topology.Gateway) {
	if after == nil {
		c.gatewayRemoved(c.model.gateways[before.Key()])
		return
	}
	g := c.model.gateways[after.Key()]
	if g == nil {
		g = &gateway{object: newObject(after.Key()), feed: newFollow(after.Key().String()),
			routers: map[*router]bool{}, floats: map[*floating]bool{}, byAddress: map[netip.Addr]*floating{}, services: map[*service]bool{}, inside: map[insideAt]map[*floating]bool{}, hosts: map[*host]bool{}}
		g.ext = c.model.externals[topology.Key{Kind: topology.KindExternalNetwork, Name: after.Spec.ExternalNetwork}]
		g.ext.gateways[g] = true
		c.model.gateways[after.Key()] = g
		c.dirty.externals[g.ext] = true
	} else {
		c.replanCarriers(g)
	}
	g.spec = after
	c.replanCarriers(g)
	c.chooseWitnesses()
	c.gatewayDirty(g)
	for r := range g.routers {
		c.dirty.routers[r] = true // its lane may be another
	}
	c.dirty.phases[&g.object] = true
	c.expectHops(g.ext)
}

// gatewayDirty has everything of a gateway compiled again.
func (c *Controller) gatewayDirty(g *gateway) {
	c.dirty.gateways[g] = true
	for h := range g.hosts {
		c.dirty.outside[h] = true
	}
	for r := range g.routers {
		c.dirty.attached[r] = true
	}
	for f := range g.floats {
		c.dirty.floats[f] = true
	}
}

func (c *Controller) replanCarriers(g *gateway) {
	for _, gh := range g.spec.Spec.Hosts {
		if h := c.model.hosts[gh.Name]; h != nil {
			c.dirty.plans[h] = true
			c.dirty.outside[h] = true
		}
	}
}

func (c *Controller) gatewayRemoved(g *gateway) {
	c.replanCarriers(g)
	for h := range g.hosts {
		c.dirty.outside[h] = true
	}
	delete(g.ext.gateways, g)
	c.dirty.externals[g.ext] = true
	delete(c.model.gateways, g.key)
	delete(c.dirty.gateways, g)
	c.chooseWitnesses()
	c.expectHops(g.ext)
	c.set(&g.object, g.ext.feed, nil)
	c.remove(&g.object, g.feed)
}

func (c *Controller) gatewayNamed(name string) *gateway {
	return c.model.gateways[topology.Key{Kind: topology.KindGateway, Name: name}]
}

// attach makes gateways those of a router, which still has its spec of before.
func (c *Controller) attach(r *router, after *topology.Router) {
	exits := map[*gateway]bool{}
	if after != nil {
		for _, a := range after.Allocated.Gateways {
			if g := c.gatewayNamed(a.Gateway); g != nil {
				exits[g] = true
			}
		}
	}
	for _, set := range []map[*gateway]bool{r.exits, exits} {
		for g := range set {
			delete(g.routers, r)
			c.dirty.routes[g.ext] = true
			c.replanCarriers(g)
			c.dirty.phases[&g.object] = true
			c.leadTo(r, g)
		}
	}
	for g := range r.exits {
		if vni := r.spec.Attachment(g.key.Name).VNI; c.model.exits[vni] == (exit{r, g}) {
			delete(c.model.exits, vni)
		}
	}
	for g := range exits {
		g.routers[r] = true
		c.model.exits[after.Attachment(g.key.Name).VNI] = exit{r, g}
	}
	r.exits = exits
}

// leadTo has the services of a gateway to which a router leads, or led, wait for it.
func (c *Controller) leadTo(r *router, g *gateway) {
	for s := range g.services {
		if s.key.Tenant == r.key.Tenant {
			c.dirty.awaiting[&s.object] = append(c.dirty.awaiting[&s.object], r)
			c.dirty.phases[&s.object] = true
		}
	}
}

func (c *Controller) floatingChanged(before, after *topology.FloatingIP) {
	if after == nil {
		f := c.model.floats[before.Key()]
		c.stand(f, nil)
		delete(f.gw.floats, f)
		f.giveUpAddress()
		delete(c.model.floats, f.key)
		delete(c.dirty.floats, f)
		c.placeFloat(f, nil, nil, topology.MAC{})
		c.leadAway(f, pipeline.Floating{})
		c.indexFloat(f, nil, false)
		c.set(&f.object, f.gw.ext.feed, nil)
		c.remove(&f.object, nil)
		return
	}
	f := c.model.floats[after.Key()]
	if f == nil {
		f = &floating{object: newObject(after.Key()), targets: map[*endpoint]bool{}, gw: c.gatewayNamed(after.Spec.Gateway)}
		f.gw.floats[f] = true
		c.model.floats[after.Key()] = f
	}
	if f.spec != nil {
		f.giveUpAddress()
	}
	f.spec = after
	f.gw.byAddress[after.Allocated.Address] = f
	c.stand(f, after)
	c.dirty.floats[f] = true
	c.dirty.phases[&f.object] = true
}

// giveUpAddress forgets whose the address was; another may have got it in the same change.
func (f *floating) giveUpAddress() {
	if a := f.spec.Allocated.Address; f.gw.byAddress[a] == f {
		delete(f.gw.byAddress, a)
	}
}

// stand links a floating IP to the endpoints that it stands for.
func (c *Controller) stand(f *floating, after *topology.FloatingIP) {
	for e := range f.targets {
		delete(e.floats, f)
	}
	clear(f.targets)
	if after == nil {
		return
	}
	for _, key := range after.Endpoints() {
		if e := c.model.endpoints[key]; e != nil {
			f.targets[e] = true
			if e.floats == nil {
				e.floats = map[*floating]bool{}
			}
			e.floats[f] = true
		}
	}
}

func (c *Controller) serviceChanged(before, after *topology.Service) {
	if after == nil {
		s := c.model.services[before.Key()]
		delete(c.model.services, s.key)
		delete(s.gw.services, s)
		c.serve(s)
		c.remove(&s.object, nil)
		return
	}
	s := c.model.services[after.Key()]
	if s == nil {
		s = &service{object: newObject(after.Key())}
		c.model.services[after.Key()] = s
	} else {
		delete(s.gw.services, s)
		c.serve(s)
	}
	s.spec, s.gw = after, c.gatewayNamed(after.Spec.Gateway)
	s.gw.services[s] = true
	c.serve(s)
	c.dirty.phases[&s.object] = true
}

// serve has the routers compiled again that lead to a service, and it wait for that.
func (c *Controller) serve(s *service) {
	for r := range s.gw.routers {
		if r.key.Tenant == s.key.Tenant {
			c.dirty.routers[r] = true
			c.dirty.attached[r] = true
			c.dirty.awaiting[&s.object] = append(c.dirty.awaiting[&s.object], r)
		}
	}
}

// servicesOf are those that a router leads to by a gateway, sorted.
func (c *Controller) servicesOf(r *router, g *gateway) []*topology.Service {
	var list []*topology.Service
	for s := range g.services {
		if s.key.Tenant == r.key.Tenant {
			list = append(list, s.spec)
		}
	}
	slices.SortFunc(list, func(a, b *topology.Service) int { return compareNames(a.Metadata.Name, b.Metadata.Name) })
	return list
}

// endpointMoved has what depends on where an endpoint is compiled again.
func (c *Controller) endpointMoved(e *endpoint) {
	for f := range e.floats {
		c.dirty.floats[f] = true
	}
	c.steerEndpoint(e)
}

// hostOutsideChanged is for a host that is new, or has other mappings or another VTEP.
func (c *Controller) hostOutsideChanged(h *host) {
	c.dirty.outside[h] = true
	c.dirty.plans[h] = true
	c.chooseWitnesses()
	if slices.Contains(c.witnesses, h) {
		c.guardsDirty()
	}
	for _, g := range c.model.gateways {
		if g.names(h.key.Name) {
			c.gatewayDirty(g)
			c.dirty.phases[&g.object] = true
		}
	}
	for e := range h.endpoints {
		c.endpointMoved(e)
	}
}

// names says whether a host is one of the gateway's.
func (g *gateway) names(host string) bool {
	return slices.ContainsFunc(g.spec.Spec.Hosts, func(gh topology.GatewayHost) bool { return gh.Name == host })
}
