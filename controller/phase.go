package controller

import (
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// This file decides when an object is realized.

// awayAfter is how long a host may be without its OpenFlow session before nobody
// waits for it any more. A host that is away cannot be told anything; it is
// compared with its plan when it comes back.
const awayAfter = 30 * time.Second

// awaitSeq has the object wait until the feed's followers acknowledge seq.
func (c *Controller) awaitSeq(o *object, f *follow, seq uint64) {
	if n := o.needIn(f); n != nil {
		n.seq = seq
	} else {
		o.needs = append(o.needs, need{f, seq})
	}
	f.pending = append(f.pending, pendingMark{seq, o})
	c.sweep[f] = true
	c.dirty.phases[o] = true
}

// await has the object wait for all that the feed holds now.
func (c *Controller) await(o *object, f *follow) {
	n := o.needIn(f)
	if seq := f.Seq(); seq > 0 && (n == nil || n.seq != seq) {
		c.awaitSeq(o, f, seq)
	}
}

// sweepFeed takes from the feed's pending marks those that all followers have
// acknowledged.
func (c *Controller) sweepFeed(f *follow) {
	if len(f.pending) == 0 {
		return
	}
	low := c.lowest(f)
	i := 0
	for ; i < len(f.pending) && f.pending[i].seq <= low; i++ {
		o := f.pending[i].obj
		if n := o.needIn(f); n != nil && n.seq <= low {
			o.needs = slices.DeleteFunc(o.needs, func(n need) bool { return n.feed == f })
			if len(o.needs) == 0 {
				o.needs = nil
			}
			c.dirty.phases[o] = true
		}
	}
	if f.pending = f.pending[i:]; len(f.pending) == 0 {
		f.pending = nil
		for h := range f.followers {
			if c.lingering[h] {
				c.dirty.plans[h] = true
				delete(c.lingering, h)
			}
		}
	}
}

// lowest is the sequence number that every follower that is not away has
// acknowledged.
func (c *Controller) lowest(f *follow) uint64 {
	low := f.Seq()
	for h := range f.followers {
		seq, ok := c.switches.Acked(h.spec.Allocated.DatapathID, f.Feed)
		if !ok && c.away(h) {
			continue
		}
		low = min(low, seq)
	}
	return low
}

func (c *Controller) away(h *host) bool {
	return !h.openflowUp && c.now().Sub(h.awaySince) >= awayAfter
}

func awayText(h *host) string {
	return fmt.Sprintf("its host %s is away since %s", h.key.Name, h.awaySince.UTC().Format(time.RFC3339))
}

// settle brings an object's phase up to date, and tells whoever waits for it.
func (c *Controller) settle(o *object) {
	phase, _ := c.judge(o)
	if phase != o.phase || o.since.IsZero() {
		o.phase, o.since = phase, c.now()
		c.chainsToo(o)
		switch phase {
		case topology.PhaseRealized:
			c.event(topology.EventRealized, o.key, "", "every switch concerned has acknowledged")
		case topology.PhaseFailed:
			_, reason := c.judge(o)
			c.event(topology.EventFailed, o.key, "", reason)
		}
	}
	if phase == topology.PhasePending {
		return
	}
	for _, w := range o.waiters {
		close(w)
	}
	o.waiters = nil
	if c.model.removed[o.key] == o && len(o.needs) == 0 {
		delete(c.model.removed, o.key)
	}
}

// finish ends an object that no switch has to acknowledge any more.
func (c *Controller) finish(o *object) {
	if o == nil {
		return
	}
	for _, w := range o.waiters {
		close(w)
	}
	o.waiters = nil
	delete(c.dirty.phases, o)
}

// judge works out an object's phase, and why it is not realized.
func (c *Controller) judge(o *object) (topology.Phase, string) {
	for r, text := range o.refused {
		return topology.PhaseFailed, fmt.Sprintf("host %s refused: %s", r.host, text)
	}
	if c.model.removed[o.key] != o {
		if phase, reason := c.judgeKind(o.key); phase != topology.PhaseRealized {
			return phase, reason
		}
	}
	for _, n := range o.needs {
		for h := range n.feed.followers {
			if !h.openflowUp && !c.away(h) {
				return topology.PhasePending, fmt.Sprintf("waiting for host %s, which is not connected", h.key.Name)
			}
		}
	}
	if len(o.needs) > 0 {
		return topology.PhasePending, "waiting for switches to acknowledge"
	}
	return topology.PhaseRealized, ""
}

// judgeKind is what else than acknowledgements an object of its kind needs.
func (c *Controller) judgeKind(key topology.Key) (topology.Phase, string) {
	switch key.Kind {
	case topology.KindEndpoint:
		return c.judgeEndpoint(c.model.endpoints[key])
	case topology.KindHost:
		return c.judgeHost(c.model.hosts[key.Name])
	case topology.KindGateway:
		return c.judgeGateway(c.model.gateways[key])
	case topology.KindRouter:
		return judgeExits(c.model.routers[key])
	case topology.KindFloatingIP:
		return c.judgeFloat(c.model.floats[key])
	case topology.KindService:
		return judgeService(c.model.services[key])
	case topology.KindServiceFunction:
		return c.judgeFunction(c.model.functions[key])
	case topology.KindChain:
		return c.judgeChain(c.model.chains[key])
	}
	return topology.PhaseRealized, ""
}

func (c *Controller) judgeEndpoint(e *endpoint) (topology.Phase, string) {
	if e == nil {
		return topology.PhaseRealized, ""
	}
	id := e.spec.Allocated.InterfaceID
	switch {
	case e.mismatch != "":
		return topology.PhaseFailed, e.mismatch
	case e.binding == nil:
		for _, cl := range c.model.claims[id] {
			if cl.port.Error != "" {
				return topology.PhaseFailed, fmt.Sprintf("host %s cannot use port %s: %s", cl.host.key.Name, cl.port.Name, cl.port.Error)
			}
		}
		return topology.PhasePending, fmt.Sprintf("not bound: no host has an interface with external_ids:iface-id=%s on br-int", id)
	case e.host == nil:
		return topology.PhasePending, fmt.Sprintf("its host %s is unknown", e.binding.Host)
	case c.away(e.host):
		return topology.PhasePending, awayText(e.host)
	case !e.host.vtep().IsValid():
		return topology.PhaseFailed, fmt.Sprintf("its host %s has no VTEP address: run there: ovs-vsctl set Open_vSwitch . external_ids:dovetail-encap-ip=ADDRESS", e.host.key.Name)
	}
	if other := c.unprovedTunnel(e); other != "" {
		return topology.PhasePending, other
	}
	return topology.PhaseRealized, ""
}

func (c *Controller) judgeHost(h *host) (topology.Phase, string) {
	switch {
	case h == nil:
		return topology.PhaseRealized, ""
	case h.problem != "":
		return topology.PhaseFailed, h.problem
	case !h.ovsdbUp:
		return topology.PhasePending, "its OVSDB is not connected: run there: ovs-vsctl set-manager tcp:CONTROLLER:6640"
	case !h.ready:
		return topology.PhasePending, "its switch is building the bridge"
	case !h.openflowUp:
		return topology.PhasePending, "its switch is not connected by OpenFlow"
	case len(h.needs) > 0:
		return topology.PhasePending, "waiting for its switch to acknowledge"
	}
	return topology.PhaseRealized, ""
}
