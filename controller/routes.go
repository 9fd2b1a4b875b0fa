package controller

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/bgp"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file decides which routes are announced outside: the routed networks of routers,
// reached by the addresses of lanes.

// announced is what one external network's speaker is to say; no ASN means nothing.
type announced struct {
	cfg    bgp.Config
	routes []bgp.Route
}

// routesDue are the external networks whose routes may have changed, with what is to be
// announced. One whose gateways have not shown yet where they are has to wait: its
// peers keep what they were told before.
func (c *Controller) routesDue() map[string]announced {
	due := map[string]announced{}
	for x := range c.dirty.routes {
		switch {
		case c.model.externals[x.key] != x:
			delete(c.dirty.routes, x)
			due[x.key.Name] = announced{}
		case !c.lanesKnown(x):
		default:
			delete(c.dirty.routes, x)
			due[x.key.Name] = c.routesOf(x)
		}
	}
	return due
}

// lanesKnown says whether the hosts of all gateways have shown whether they live, or had
// the time for it.
func (c *Controller) lanesKnown(x *external) bool {
	if c.now().Sub(c.began) > awayAfter {
		return true
	}
	for g := range x.gateways {
		for _, h := range c.carriers(g) {
			if !h.openflowUp {
				return false
			}
			for _, k := range c.carriers(g) {
				if l := h.links[k.spec.Allocated.ID]; k != h && !l.Known {
					return false
				}
			}
		}
	}
	return true
}

func (c *Controller) routesOf(x *external) announced {
	if x.spec.Spec.BGP == nil {
		return announced{}
	}
	a := announced{cfg: bgp.Config{ASN: x.spec.Spec.BGP.ASN, RouterID: routerID(x)}}
	for _, p := range x.spec.Spec.BGP.Peers {
		a.cfg.Peers = append(a.cfg.Peers, bgp.Peer{Address: p.Address, ASN: p.ASN})
	}
	for g := range x.gateways {
		lanes := c.lanesAnnounced(g)
		for r := range g.routers {
			for _, p := range routedPrefixes(r, g) {
				for _, hop := range lanes {
					if hop.Is4() == p.Addr().Is4() {
						a.routes = append(a.routes, bgp.Route{Prefix: p, NextHop: hop})
					}
				}
			}
		}
	}
	slices.SortFunc(a.routes, func(p, q bgp.Route) int {
		return cmp.Or(p.Prefix.Addr().Compare(q.Prefix.Addr()), cmp.Compare(p.Prefix.Bits(), q.Prefix.Bits()), p.NextHop.Compare(q.NextHop))
	})
	a.routes = slices.Compact(a.routes)
	return a
}

// lanesAnnounced are the addresses by which a gateway is reached: those of lanes whose
// own host lives; only if there are none, those that another host carries. Every lane
// leads to all routers, so that several share what comes in.
func (c *Controller) lanesAnnounced(g *gateway) []netip.Addr {
	var own, other []netip.Addr
	for i, active := range c.activeHosts(g) {
		l := g.spec.Allocated.Lanes[i]
		switch active {
		case "":
		case l.Host:
			own = append(own, l.Addresses...)
		default:
			other = append(other, l.Addresses...)
		}
	}
	if own == nil {
		return other
	}
	return own
}

// routedPrefixes are the subnets of a router that are reached from outside by their own
// addresses.
func routedPrefixes(r *router, g *gateway) []netip.Prefix {
	var list []netip.Prefix
	spec := r.at(g)
	for _, n := range r.nets {
		for _, s := range n.spec.Allocated.Subnets {
			if spec.Routes(n.key.Name, s.CIDR) {
				list = append(list, s.CIDR)
			}
		}
	}
	return list
}

// routerID is the lowest IPv4 address of a lane, else a number that does not change.
func routerID(x *external) netip.Addr {
	var lowest netip.Addr
	for g := range x.gateways {
		for _, l := range g.spec.Allocated.Lanes {
			for _, a := range l.Addresses {
				if a.Is4() && (!lowest.IsValid() || a.Less(lowest)) {
					lowest = a
				}
			}
		}
	}
	if lowest.IsValid() {
		return lowest
	}
	n := pipeline.ExternalNumber(x.spec)
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// peerStatus is how the sessions of an external network are.
func (c *Controller) peerStatus(x *external) []topology.PeerStatus {
	if x == nil || x.spec.Spec.BGP == nil {
		return nil
	}
	states := c.speakers.peers(x.key.Name)
	list := make([]topology.PeerStatus, 0, len(x.spec.Spec.BGP.Peers))
	for _, p := range x.spec.Spec.BGP.Peers {
		s := topology.PeerStatus{Address: p.Address}
		if i := slices.IndexFunc(states, func(st bgp.PeerState) bool { return st.Address == p.Address }); i >= 0 {
			st := states[i]
			s.Established, s.Since, s.Announced, s.Error = !st.Established.IsZero(), st.Established.UTC().Truncate(time.Millisecond), st.Prefixes, st.LastError
			if s.Established {
				s.Error = ""
			} else {
				s.Since = time.Time{}
			}
		}
		list = append(list, s)
	}
	return list
}
