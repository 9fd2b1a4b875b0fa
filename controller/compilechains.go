package controller

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file compiles service functions and chains.

// flushChains compiles what chains need: groups first, which the flows use.
func (c *Controller) flushChains(d dirty) {
	maps.Copy(d.steering, c.dirty.steering)
	clear(c.dirty.steering)
	for h, needed := range d.steering {
		if needed && c.model.hosts[h.key.Name] == h {
			c.compileSteering(h)
		}
	}
	for f := range d.functions {
		c.compileFunction(f)
	}
	for ch := range d.chains {
		c.compileChain(ch)
	}
}

// awaitChains has chains wait for hosts that have come to follow them.
func (c *Controller) awaitChains(d dirty, grown map[*host][]*follow) {
	for ch := range d.chains {
		for _, feeds := range grown {
			for _, f := range feeds {
				if f == ch.feed || slices.ContainsFunc(ch.hops, func(fn *function) bool { return fn.feed == f }) {
					c.await(&ch.object, f)
				}
			}
		}
	}
}

// functionsOn are the functions of all chains that a host follows: it may send to them.
func (c *Controller) functionsOn(h *host) map[*function]bool {
	list := map[*function]bool{}
	add := func(chains map[*chain]bool) {
		for ch := range chains {
			for _, f := range ch.hops {
				list[f] = true
			}
		}
	}
	add(h.chainsOf())
	for r := range c.routersOn(h) {
		add(r.chains)
	}
	return list
}

// routersOn are the routers of the domains that a host follows.
func (c *Controller) routersOn(h *host) map[*router]bool {
	list := map[*router]bool{}
	for n := range h.nets {
		if n.router != nil {
			list[n.router] = true
		}
	}
	for ch := range h.chainsOf() {
		list[ch.router] = true
	}
	for g := range h.gateways {
		if c.carries(g, h) {
			maps.Copy(list, g.routers)
		}
	}
	return list
}

// compileSteering compiles what one host has of service functions: groups, and its own
// instances.
func (c *Controller) compileSteering(h *host) {
	want := c.functionsOn(h)
	for f := range h.functions {
		if !want[f] {
			delete(f.hosts, h)
			c.set(&f.object, h.feed, nil)
		}
	}
	h.functions = want
	c.compileAccepting(h)
	for f := range want {
		f.hosts[h] = true
		placed := c.placed(f, h)
		entries := append(c.answerMeter(f, placed, h), c.encodeGroups(&f.object, pipeline.FunctionGroups(f.spec, placed, h.key.Name)...)...)
		c.setEntries(&f.object, h.feed, f.key.String(), append(entries, c.seal(f.key.String(), c.instancesOn(f, placed, h))...))
	}
}

// compileAccepting compiles the chains of the functions that have instances on a host.
func (c *Controller) compileAccepting(h *host) {
	want := h.chainsOf()
	for ch := range h.accepts {
		if !want[ch] {
			c.set(&ch.object, h.feed, nil)
		}
	}
	h.accepts = want
	for ch := range want {
		var flows []openflow.Flow
		for _, w := range []*way{ch.way, ch.next} {
			if w == nil {
				continue
			}
			view := c.viewChain(ch, w)
			for i, f := range w.hops {
				var numbers []int
				for _, p := range c.placed(f, h) {
					if p.Host == h.key.Name {
						numbers = append(numbers, p.Number)
					}
				}
				flows = append(flows, pipeline.Accept(view, i+1, numbers)...)
			}
		}
		c.set(&ch.object, h.feed, flows)
	}
}

// instancesOn are the flows of a function's instances on their own host.
func (c *Controller) instancesOn(f *function, placed []pipeline.Placed, h *host) []openflow.Flow {
	var numbers, pairs []int
	var flows []openflow.Flow
	for _, p := range placed {
		if p.Host != h.key.Name {
			continue
		}
		numbers = append(numbers, p.Number)
		if p.In != p.Out {
			pairs = append(pairs, p.Number)
		}
		i := c.viewInstance(f, p.Number)
		flows = append(append(flows, pipeline.InstanceLocal(i)...), pipeline.Answers(i)...)
	}
	if len(numbers) == 0 {
		return nil
	}
	return append(flows, pipeline.LandingLocal(f.spec, numbers, pairs)...)
}

// viewInstance is an instance that is on a host as the compiler wants it.
func (c *Controller) viewInstance(f *function, number int) *pipeline.Instance {
	i := &pipeline.Instance{Function: f.spec, Number: number, Router: f.routerID()}
	in, out := c.arms(f, number)
	for _, e := range slices.Compact([]*endpoint{in, out}) {
		i.Arms = append(i.Arms, pipeline.Arm{Endpoint: e.bound(), Network: e.net.spec, OFPort: e.binding.OFPort})
	}
	return i
}

// answerMeter is the meter of what a function's instances on a host answer to questions.
func (c *Controller) answerMeter(f *function, placed []pipeline.Placed, h *host) []openflow.Entry {
	n := 0
	for _, p := range placed {
		if p.Host == h.key.Name {
			n++
		}
	}
	m, ok := pipeline.AnswerMeter(f.spec, n)
	if !ok {
		return nil
	}
	e, err := openflow.EncodeMeter(m)
	if err != nil {
		c.log.Error().Err(err).Stringer("object", f.key).Msg("encoding a meter")
		return nil
	}
	return []openflow.Entry{e}
}

// routerID is the id of the router that headers are looked up in, 0 if none is.
func (f *function) routerID() uint32 {
	if f.spec.Spec.Tagged {
		return 0
	}
	for ch := range f.chains {
		return ch.router.spec.Allocated.ID
	}
	return 0
}

// arms are the endpoints of an instance, the same one twice if it has one; nil if they are not
// there.
func (c *Controller) arms(f *function, number int) (in, out *endpoint) {
	i := slices.IndexFunc(f.spec.Allocated.Instances, func(a topology.InstanceAllocation) bool { return a.Number == number })
	if i < 0 {
		return nil, nil
	}
	keys := f.spec.Endpoints()
	return c.model.endpoints[keys[2*i]], c.model.endpoints[keys[2*i+1]]
}

// placed are the instances of a function that are on hosts, as one host sees them, sorted
// by number.
func (c *Controller) placed(f *function, from *host) []pipeline.Placed {
	var list []pipeline.Placed
	for i, a := range f.spec.Allocated.Instances {
		in, out := c.arms(f, a.Number)
		if c.instanceProblem(in, out) != "" {
			continue
		}
		h, spec := in.host, f.spec.Spec.Instances[i]
		list = append(list, pipeline.Placed{
			Number: a.Number, Weight: spec.Weight, Drain: spec.Drain, Alive: c.instanceFault(f, a.Number) == "",
			Host: h.key.Name, VTEP: h.vtep(), Link: c.watchPort(from, h), In: in.binding.OFPort, Out: out.binding.OFPort,
		})
	}
	slices.SortFunc(list, func(a, b pipeline.Placed) int { return a.Number - b.Number })
	return list
}

// instanceProblem says why an instance is nowhere, or "".
func (c *Controller) instanceProblem(in, out *endpoint) string {
	for _, e := range []*endpoint{in, out} {
		switch {
		case e == nil:
			return "one of its endpoints is not there"
		case e.host == nil || e.net == nil:
			return e.key.String() + " is not bound to a host"
		case !e.host.vtep().IsValid():
			return "host " + e.host.key.Name + " has no VTEP address"
		case e.mismatch != "":
			return e.mismatch
		}
	}
	if in.host != out.host {
		return "its ends are on different hosts, " + in.host.key.Name + " and " + out.host.key.Name
	}
	return ""
}

// instanceUp says whether an endpoint's port is up, as far as its host says.
func (c *Controller) instanceUp(e *endpoint) bool {
	if e.host.ports == nil || !e.host.ovsdbUp {
		return true // its switch knows
	}
	p, ok := e.host.ports[e.spec.Allocated.InterfaceID]
	return ok && p.LinkUp
}

// A tunnel to another host may take linkGrace to show that the host lives. In its first
// second it cannot be up: a report that says so is of an older tunnel (RFC 5880, 6.8.3, has
// a session that is not up send once a second).
const (
	linkGrace = 10 * time.Second
	linkOfOld = time.Second
)

// watchPort is the port by which a host sees whether another one lives: that of its link,
// which is not up at once. Until it is, the host is taken to live.
func (c *Controller) watchPort(from, to *host) uint32 {
	id := to.spec.Allocated.ID
	if id == 0 {
		return pipeline.TunnelPort
	}
	if _, unseen := from.linkMade[id]; unseen {
		return pipeline.TunnelPort
	}
	return ovsdb.LinkOFPort(id)
}

// seeLinks notes which of a host's new links have shown that they work, or had time enough,
// and says whether there are any.
func (c *Controller) seeLinks(h *host) bool {
	seen := false
	for id, made := range h.linkMade {
		age := c.now().Sub(made)
		if age >= linkGrace || age >= linkOfOld && h.links[id].Up {
			delete(h.linkMade, id)
			seen = true
		}
	}
	return seen
}

// unseen says which host has yet to see that one with an instance of a function lives, or "".
func (f *function) unseen() string {
	for _, h := range sortedHosts(f.hosts) {
		for e := range f.endpoints {
			if e.host != nil && !h.linkMade[e.host.spec.Allocated.ID].IsZero() {
				return fmt.Sprintf("waiting for host %s to see that host %s lives", h.key.Name, e.host.key.Name)
			}
		}
	}
	return ""
}

// instanceHosts are the hosts of the instances to which a host may send.
func (c *Controller) instanceHosts(h *host) map[*host]bool {
	list := map[*host]bool{}
	for f := range c.functionsOn(h) {
		for e := range f.endpoints {
			if e.host != nil && e.host != h && e.host.vtep().IsValid() {
				list[e.host] = true
			}
		}
	}
	return list
}

// compileFunction compiles a function's part for all hosts that send to it.
func (c *Controller) compileFunction(f *function) {
	var flows []openflow.Flow
	if len(f.chains) > 0 {
		flows = pipeline.Function(f.spec, c.placed(f, &host{}))
	}
	c.set(&f.object, f.feed, flows)
}

func (c *Controller) compileChain(ch *chain) {
	c.set(&ch.object, ch.feed, c.flowsOf(ch))
}

// viewChain is a way of a chain as the compiler wants it.
func (c *Controller) viewChain(ch *chain, w *way) *pipeline.Chain {
	spec := w.spec.Spec
	v := &pipeline.Chain{Object: w.spec, Odd: w.odd, Router: ch.router.spec.Allocated.ID}
	v.Sources = c.side(ch, spec.Sources)
	v.Destinations = c.side(ch, spec.Destinations)
	if len(spec.Sources) == 0 {
		for _, n := range ch.router.nets {
			v.Sources.Prefixes = append(v.Sources.Prefixes, subnets(n)...)
		}
		tidy(&v.Sources)
	}
	v.Destinations.Any = len(spec.Destinations) == 0
	v.Ambiguous = len(spec.Ports) == 0 && overlap(v.Sources, v.Destinations)
	for i, f := range w.hops {
		at := w.spec.Allocated.Hops[i]
		hop := pipeline.Hop{Function: f.spec, Slot: at.Slot, VLAN: at.Tag(f.spec), Alone: len(f.chains) == 1}
		if f.spec.Spec.Type == topology.FunctionRewriting {
			hop.Own = f.addresses()
		}
		v.Hops = append(v.Hops, hop)
	}
	return v
}

// addresses are those of a function's instances, and those that they may use besides.
func (f *function) addresses() []netip.Prefix {
	var list []netip.Prefix
	for e := range f.endpoints {
		for _, a := range e.spec.Allocated.Addresses {
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
		}
		for _, a := range e.spec.Spec.AllowedAddresses {
			list = append(list, a.Prefix)
		}
	}
	return distinct(list)
}

func subnets(n *network) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range n.spec.Allocated.Subnets {
		list = append(list, s.CIDR)
	}
	return list
}

func distinct(list []netip.Prefix) []netip.Prefix {
	slices.SortFunc(list, netip.Prefix.Compare)
	return slices.Compact(list)
}

func tidy(s *pipeline.Side) { s.Prefixes = distinct(s.Prefixes) }

// side is what selectors stand for.
func (c *Controller) side(ch *chain, selectors []topology.Side) pipeline.Side {
	var s pipeline.Side
	for _, sel := range selectors {
		switch {
		case sel.External:
			s.External = true
		case sel.CIDR.IsValid():
			s.Prefixes = append(s.Prefixes, sel.CIDR)
		case sel.Network != "":
			for _, n := range ch.router.nets {
				if n.key.Name == sel.Network {
					s.Prefixes = append(s.Prefixes, subnets(n)...)
				}
			}
		default:
			s.Prefixes = append(s.Prefixes, labelled(ch.router, sel.Labels)...)
		}
	}
	tidy(&s)
	return s
}

// labelled are the addresses of the endpoints that have all labels.
func labelled(r *router, labels map[string]string) []netip.Prefix {
	var list []netip.Prefix
	for _, n := range r.nets {
		for e := range n.endpoints {
			has := e.spec.Metadata.Labels
			if !slices.ContainsFunc(slices.Collect(maps.Keys(labels)), func(k string) bool { v, ok := has[k]; return !ok || v != labels[k] }) {
				for _, a := range e.spec.Allocated.Addresses {
					list = append(list, netip.PrefixFrom(a, a.BitLen()))
				}
			}
		}
	}
	return list
}

// overlap says whether one address can be on both sides.
func overlap(a, b pipeline.Side) bool {
	if a.Any || b.Any || a.External && b.External {
		return true
	}
	for _, p := range a.Prefixes {
		if slices.ContainsFunc(b.Prefixes, p.Overlaps) {
			return true
		}
	}
	return false
}
