package controller

import (
	"fmt"

	"github.com/dovetail-sdn/dovetail/topology"
)

// This file decides whether chains and their functions work.

// judgeFunction says what is wrong with a function's instances. One that lives is enough.
func (c *Controller) judgeFunction(f *function) (topology.Phase, string) {
	if f == nil || len(f.spec.Allocated.Instances) == 0 {
		return topology.PhaseRealized, ""
	}
	problem, phase := "", topology.PhasePending
	for _, a := range f.spec.Allocated.Instances {
		ok, why := c.instanceHealth(f, a.Number)
		if ok {
			if who := f.unseen(); who != "" {
				return topology.PhasePending, who
			}
			return topology.PhaseRealized, ""
		}
		if c.instanceProblem(c.arms(f, a.Number)) == "" {
			phase = topology.PhaseFailed
		}
		if problem == "" {
			problem = fmt.Sprintf("no instance works; instance %s: %s", a.In, why)
		}
	}
	return phase, problem
}

// judgeChain says which of a chain's functions do not work, and what that does to packets.
func (c *Controller) judgeChain(ch *chain) (topology.Phase, string) {
	if ch == nil {
		return topology.PhaseRealized, ""
	}
	for _, f := range c.hopsOf(ch.spec) {
		if phase, why := c.judgeFunction(f); phase != topology.PhaseRealized || len(f.spec.Allocated.Instances) == 0 {
			switch why {
			case "":
				phase, why = topology.PhaseFailed, "it has no instances"
			case f.unseen():
				return phase, why
			}
			return phase, fmt.Sprintf("%s: %s; %s", f.key, why, fate(f.spec))
		}
	}
	for _, f := range ch.hops {
		if len(f.needs) > 0 {
			return topology.PhasePending, "waiting for switches to acknowledge " + f.key.String()
		}
	}
	if ch.stage == preparing || ch.stage == switching {
		return topology.PhasePending, "its packets are being led another way"
	}
	return topology.PhaseRealized, ""
}

// fate is what happens to packets that no instance of a function can take.
func fate(f *topology.ServiceFunction) string {
	switch {
	case f.Spec.Type == topology.FunctionTap:
		return "nobody gets copies"
	case f.SkippedWithout():
		return "packets skip it"
	}
	return "packets are dropped"
}

// chainsToo has the chains looked at of a function that has reached another phase.
func (c *Controller) chainsToo(o *object) {
	if o.key.Kind != topology.KindServiceFunction {
		return
	}
	if f := c.model.functions[o.key]; f != nil {
		for ch := range f.chains {
			c.dirty.phases[&ch.object] = true
		}
		c.inbox.nudge()
	}
}

// hasInstances says whether other hosts go by whether the host lives, because it has
// instances of functions.
func (c *Controller) hasInstances(h *host) bool { return len(h.chainsOf()) > 0 }
