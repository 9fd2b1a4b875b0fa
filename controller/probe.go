package controller

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file proves tunnels. A userspace datapath drops packets to a VTEP whose
// MAC it has not resolved yet, so before an endpoint there is called realized, a
// probe must have arrived. The kernel's datapath queues such packets and needs
// no probe.

const (
	probeFirst = 10 * time.Millisecond // after which an unanswered probe is repeated
	probeLast  = time.Second           // and how long that becomes by doubling
	// probeRenew is well under the 15 minutes after which Open vSwitch forgets an
	// unused neighbour (ovs-vswitchd's tnl/neigh/aging default).
	probeRenew = 5 * time.Minute
)

// probe is a tunnel that is being proved.
type probe struct {
	id       uint64
	next     time.Time
	interval time.Duration
	sent     int
}

type pair struct{ from, to *host }

// meet has the tunnels proved between a host and the other followers of feeds
// that are new to it.
func (c *Controller) meet(h *host, feeds []*follow) {
	for _, f := range feeds {
		for g := range f.followers {
			if g != h {
				c.prove(h, g)
				c.prove(g, h)
			}
		}
	}
}

func (c *Controller) prove(from, to *host) {
	if from.spec.Allocated.DatapathType != "netdev" || from.unproved[to] != nil {
		return
	}
	if _, ok := c.proved[pair{from, to}]; ok {
		return
	}
	p := &probe{id: rand.Uint64(), interval: probeFirst, next: c.now()}
	from.unproved[to] = p
	c.probing[pair{from, to}] = p
}

// probeAgain forgets what is known about tunnels from and to a host.
func (c *Controller) probeAgain(h *host) {
	for _, g := range c.model.hosts {
		for _, k := range []pair{{h, g}, {g, h}} {
			if _, ok := c.proved[k]; ok {
				delete(c.proved, k)
				c.prove(k.from, k.to)
			}
		}
	}
}

// sendProbes sends the probes that are due, and returns when the next one is; the
// zero time means never.
func (c *Controller) sendProbes() (next time.Time) {
	now := c.now()
	for k, p := range c.probing {
		if c.model.hosts[k.to.key.Name] != k.to || c.model.hosts[k.from.key.Name] != k.from {
			delete(c.probing, k)
			delete(k.from.unproved, k.to)
			continue
		}
		if !k.from.openflowUp || !k.to.openflowUp || !k.to.vtep().IsValid() {
			continue // they are proved when both are back and have their addresses
		}
		if !p.next.After(now) {
			frame, actions := pipeline.Probe(p.id, k.to.vtep())
			if err := c.switches.PacketOut(k.from.spec.Allocated.DatapathID, openflow.PortController, actions, frame); err != nil {
				c.log.Debug().Err(err).Str("host", k.from.key.Name).Msg("sending a tunnel probe")
			}
			p.sent++
			p.next = now.Add(p.interval)
			p.interval = min(2*p.interval, probeLast)
		}
		if next.IsZero() || p.next.Before(next) {
			next = p.next
		}
	}
	return next
}

// probeArrived takes in a probe that came out of the tunnel at host to.
func (c *Controller) probeArrived(to *host, id uint64) {
	if c.roundTripReturned(to, id) {
		return
	}
	for k, p := range c.probing {
		if k.to == to && p.id == id {
			delete(c.probing, k)
			delete(k.from.unproved, to)
			c.proved[k] = c.now()
			for e := range to.endpoints {
				c.unsettled(e)
			}
			for e := range k.from.endpoints {
				c.unsettled(e)
			}
			return
		}
	}
}

func (c *Controller) unsettled(e *endpoint) {
	c.unsettledObject(&e.object)
	for f := range e.floats {
		c.unsettledObject(&f.object)
	}
}

// unsettledObject has an object looked at that may have become realized.
func (c *Controller) unsettledObject(o *object) {
	if o.phase != topology.PhaseRealized {
		c.dirty.phases[o] = true
	}
}

// renewProbes keeps proved tunnels from being forgotten by the switches.
func (c *Controller) renewProbes() {
	now := c.now()
	for k, at := range c.proved {
		switch {
		case c.model.hosts[k.from.key.Name] != k.from || c.model.hosts[k.to.key.Name] != k.to:
			delete(c.proved, k)
		case now.Sub(at) > probeRenew && k.from.openflowUp && k.to.openflowUp:
			c.proved[k] = now
			frame, actions := pipeline.Probe(0, k.to.vtep())
			_ = c.switches.PacketOut(k.from.spec.Allocated.DatapathID, openflow.PortController, actions, frame)
		}
	}
}

// unprovedTunnel says in words which tunnel an endpoint waits for; "" for none.
func (c *Controller) unprovedTunnel(e *endpoint) string {
	report := func(from, to *host, p *probe) string {
		if !e.net.feed.followers[from] || !e.net.feed.followers[to] || c.away(from) || c.away(to) {
			return ""
		}
		if p.sent < 8 {
			return fmt.Sprintf("waiting for the tunnel from host %s to host %s", from.key.Name, to.key.Name)
		}
		return fmt.Sprintf("the tunnel from host %s (%s) to host %s (%s) carries no packets: check the network between them and UDP port 4789",
			from.key.Name, from.vtep(), to.key.Name, to.vtep())
	}
	for to, p := range e.host.unproved {
		if s := report(e.host, to, p); s != "" {
			return s
		}
	}
	for from := range e.net.feed.followers {
		if p := from.unproved[e.host]; p != nil {
			if s := report(from, e.host, p); s != "" {
				return s
			}
		}
	}
	return ""
}
