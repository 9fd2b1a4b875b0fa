package controller

import (
	"slices"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file leads a chain from one way to another, so that no packet is lost and none
// skips a function. A way is what a generation of a chain is on switches. While the chain
// changes, both are there: first all switches get the new one beside the old one, then
// packets begin on the new one, and when those on the old one have come through, it goes.

// way is one generation of a chain.
type way struct {
	spec *topology.Chain
	hops []*function
	odd  bool
}

// current is the chain's way as far as there is one, else the next one.
func (ch *chain) current() *way {
	if ch.way != nil {
		return ch.way
	}
	return ch.next
}

// stage is how far a chain has come to its next way.
type stage int

const (
	settled   stage = iota // on its way, with no other one
	preparing              // switches get the next way
	switching              // packets begin on it
	draining               // packets on the old one come through
)

// drainTime is how long packets may be on the way through functions when nobody begins
// on it any more.
const drainTime = 2 * time.Second

// turn has a chain take the way that its intent says.
func (c *Controller) turn(ch *chain) {
	if ch.stage != settled {
		return // when it is there, it goes on
	}
	switch hops := c.hopsOf(ch.spec); {
	case ch.way == nil && !c.isLoaded():
		// Switches have it from before: they must not be without it for a moment.
		ch.way = &way{ch.spec, hops, ch.spec.Allocated.Generation&1 == 1}
	case ch.way == nil:
		ch.next, ch.stage = &way{ch.spec, hops, ch.spec.Allocated.Generation&1 == 1}, preparing
	case !slices.Equal(ch.way.hops, hops):
		// The other one than what switches have: if the intent has overtaken itself by one
		// generation, that is not its own, and another turn follows.
		ch.next, ch.stage = &way{ch.spec, hops, !ch.way.odd}, preparing
	case ch.way.odd != (ch.spec.Allocated.Generation&1 == 1):
		ch.next, ch.stage = &way{ch.spec, hops, !ch.way.odd}, preparing
	default:
		ch.way.spec = ch.spec
	}
	if ch.stage != settled {
		c.changing[ch] = true
	}
	c.enlist(ch)
}

func (c *Controller) isLoaded() bool {
	select {
	case <-c.loaded:
		return true
	default:
		return false
	}
}

func (c *Controller) hopsOf(spec *topology.Chain) []*function {
	var hops []*function
	for _, key := range spec.FunctionKeys() {
		if f := c.model.functions[key]; f != nil {
			hops = append(hops, f)
		}
	}
	return hops
}

// enlist makes a chain one of those of the functions on its ways.
func (c *Controller) enlist(ch *chain) {
	now := []*function{}
	for _, w := range []*way{ch.way, ch.next} {
		if w == nil {
			continue
		}
		for _, f := range w.hops {
			if !slices.Contains(now, f) {
				now = append(now, f)
			}
		}
	}
	if slices.Equal(now, ch.hops) {
		return
	}
	c.replanChain(ch)
	old := ch.hops
	ch.hops = now
	for _, f := range old {
		if !slices.Contains(now, f) {
			c.leaveFunction(ch, f)
		}
	}
	for _, f := range now {
		if !f.chains[ch] {
			f.chains[ch] = true
			c.functionShared(f)
		}
	}
	c.replanChain(ch)
}

// tendChains leads chains on that can go on, and returns when one of them has to be looked at
// again; the zero time means never.
func (c *Controller) tendChains() (next time.Time) {
	for ch := range c.changing {
		due := c.advance(ch)
		if ch.stage == settled {
			delete(c.changing, ch)
		}
		next = earliest(next, due)
	}
	return next
}

// advance takes a chain to its next stage, if what it waits for has come.
func (c *Controller) advance(ch *chain) (due time.Time) {
	switch ch.stage {
	case preparing, switching:
		if !c.acknowledged(ch) {
			return time.Time{}
		}
		ch.stage++
		ch.drained = c.now().Add(drainTime)
	case draining:
		if c.now().Before(ch.drained) {
			return ch.drained
		}
		if ch.dying {
			ch.stage = settled
			c.forgetChain(ch)
			c.inbox.nudge()
			return time.Time{}
		}
		ch.way, ch.next, ch.stage = ch.next, nil, settled
		c.turn(ch)
		c.enlist(ch)
	}
	c.chainDirty(ch)
	c.inbox.nudge()
	return ch.drained
}

// acknowledged says whether all switches concerned have what was sent for the chain.
func (c *Controller) acknowledged(ch *chain) bool {
	return len(ch.needs) == 0 && !slices.ContainsFunc(ch.hops, func(f *function) bool { return len(f.needs) > 0 })
}

// flowsOf are a chain's flows for all hosts that follow it.
func (c *Controller) flowsOf(ch *chain) []openflow.Flow {
	var flows []openflow.Flow
	var old, now *pipeline.Chain
	if ch.way != nil {
		old = c.viewChain(ch, ch.way)
		flows = append(flows, pipeline.Transit(old)...)
	}
	if ch.next == nil {
		flows = append(flows, pipeline.Emit(old, nil)...)
		if ch.dying {
			return flows
		}
		return append(flows, pipeline.Steer(old)...)
	}
	now = c.viewChain(ch, ch.next)
	flows = append(flows, pipeline.Transit(now)...)
	flows = append(flows, pipeline.Emit(now, old)...)
	switch {
	case ch.stage != preparing:
		flows = append(flows, pipeline.Steer(now)...)
	case old != nil:
		flows = append(flows, pipeline.Steer(old)...)
	}
	return flows
}

// endChain has packets begin no more on a chain's way; when those that are on it have come
// through, it is forgotten.
func (c *Controller) endChain(ch *chain) {
	ch.dying = true
	if ch.stage == preparing || ch.way == nil {
		if ch.way == nil {
			ch.way = ch.next
		}
		ch.next = nil
	} else if ch.next != nil {
		ch.way, ch.next = ch.next, nil
	}
	ch.stage, ch.drained = draining, c.now().Add(drainTime)
	c.changing[ch] = true
	c.chainDirty(ch)
}

// forgetChain takes a chain out of the model and its flows from all hosts.
func (c *Controller) forgetChain(ch *chain) {
	delete(c.changing, ch)
	delete(c.dirty.chains, ch)
	if ch.router == nil {
		return
	}
	c.replanChain(ch)
	delete(ch.router.chains, ch)
	for _, f := range ch.hops {
		c.leaveFunction(ch, f)
	}
	c.routerSteers(ch.router)
	c.remove(&ch.object, ch.feed)
	ch.router = nil
}
