package controller

import (
	"slices"
	"strings"

	"github.com/dovetail-sdn/dovetail/ofctrl"
)

// domain adds to feeds those of the network's routing domain: the network, its
// router, all networks that this joins, and its chains.
func domain(n *network, feeds map[*follow]bool) {
	if feeds[n.feed] {
		return
	}
	feeds[n.feed] = true
	if r := n.router; r != nil && !feeds[r.feed] {
		feeds[r.feed] = true
		r.steers(feeds)
		for _, m := range r.nets {
			domain(m, feeds)
		}
	}
}

// steers adds to feeds those of the router's chains.
func (r *router) steers(feeds map[*follow]bool) {
	for ch := range r.chains {
		feeds[ch.feed] = true
		for _, f := range ch.hops {
			feeds[f.feed] = true
		}
	}
}

// needed are the feeds that a host has to follow: its own, those of the domains in
// which it has endpoints and of the external networks that it has ports of, of the
// chains whose functions have instances on it, and, of each gateway that it carries, those
// of all routers that are connected.
func (c *Controller) needed(h *host) map[*follow]bool {
	want := map[*follow]bool{h.feed: true}
	for n := range h.nets {
		domain(n, want)
	}
	for x := range h.externals {
		want[x.feed] = true
	}
	for ch := range h.chainsOf() {
		r := ch.router
		want[r.feed] = true
		r.steers(want)
		for _, n := range r.nets {
			domain(n, want)
		}
	}
	for g := range h.gateways {
		if !c.carries(g, h) {
			continue
		}
		want[g.feed] = true
		for r := range g.routers {
			want[r.feed] = true
			r.steers(want)
			for _, n := range r.nets {
				domain(n, want)
			}
		}
	}
	return want
}

// plan brings the feeds that a host follows up to date, and returns those that are
// new to it.
//
// A feed that the host need not follow any more, but on which somebody waits for
// acknowledgements, is kept until they came: the removal of a router's flows is
// acknowledged like any other change.
func (c *Controller) plan(h *host) []*follow {
	want := c.needed(h)
	var added []*follow
	for f := range want {
		if !h.follows[f] {
			added = append(added, f)
			h.follows[f] = true
			f.followers[h] = true
		}
	}
	dropped := false
	for f := range h.follows {
		if want[f] {
			continue
		}
		if len(f.pending) > 0 {
			c.lingering[h] = true
			continue
		}
		delete(h.follows, f)
		delete(f.followers, h)
		c.forgetRefusals(h, f)
		dropped = true
	}
	if len(added) > 0 || dropped {
		c.sendPlan(h)
		c.meet(h, added)
	}
	return added
}

func (c *Controller) sendPlan(h *host) {
	feeds := make([]*ofctrl.Feed, 0, len(h.follows))
	for f := range h.follows {
		feeds = append(feeds, f.Feed)
	}
	c.switches.SetPlan(h.spec.Allocated.DatapathID, h.key.Name, feeds)
}

// hostsOf are the hosts on which a change of the object shows, sorted by name.
func hostsOf(feeds map[*follow]bool) []*host {
	seen := map[*host]bool{}
	var hosts []*host
	for f := range feeds {
		for h := range f.followers {
			if !seen[h] {
				seen[h] = true
				hosts = append(hosts, h)
			}
		}
	}
	slices.SortFunc(hosts, func(a, b *host) int { return strings.Compare(a.key.Name, b.key.Name) })
	return hosts
}
