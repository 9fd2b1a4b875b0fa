package controller

import (
	"fmt"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// This file decides whether instances of service functions work, and tells when that changes.

// condition is what was last seen of an instance.
type condition struct {
	in     string // the instance
	ok     bool
	reason string    // why not
	since  time.Time // ok is as it is
	host   string    // "" for none
}

// instanceHealth says whether an instance works, and if not, why.
func (c *Controller) instanceHealth(f *function, number int) (ok bool, reason string) {
	in, out := c.arms(f, number)
	reason = c.instanceProblem(in, out)
	if reason == "" {
		reason = c.instanceFault(f, number)
	}
	if reason == "" && !c.hostLives(in.host) {
		reason = "host " + in.host.key.Name + " is dead"
	}
	return reason == "", reason
}

// instanceFault says what is wrong with an instance that is on a host, as far as switches
// do not see it for themselves; "" for nothing. Whether its host lives is theirs to see, by
// BFD.
func (c *Controller) instanceFault(f *function, number int) string {
	in, out := c.arms(f, number)
	for _, e := range []*endpoint{in, out} {
		if !c.instanceUp(e) {
			return fmt.Sprintf("the link of port %s of host %s is down", e.binding.Port, e.host.key.Name)
		}
	}
	if dead, _, why := c.probedDead(f, number); dead {
		return why
	}
	return ""
}

// hostLives says whether a host lives that has instances. What a new tunnel says is not
// waited for, as little as switches do.
func (c *Controller) hostLives(k *host) bool {
	if c.alive(k) {
		return true
	}
	for h := range k.watchers {
		id := k.spec.Allocated.ID
		_, isNew := h.linkMade[id]
		if l := h.links[id]; l.Known && h.ovsdbUp && !isNew {
			return false
		}
	}
	return k.openflowUp
}

// watchInstances notes which instances of a function have come to work, or no longer do.
func (c *Controller) watchInstances(f *function) {
	now := map[int]condition{}
	for _, a := range f.spec.Allocated.Instances {
		now[a.Number] = c.watchInstance(f, a)
	}
	f.conditions = now // without those that are no instances any more
}

func (c *Controller) watchInstance(f *function, a topology.InstanceAllocation) condition {
	was, seen := f.conditions[a.Number]
	seen = seen && was.in == a.In // numbers are given out again
	is := condition{in: a.In, since: was.since}
	is.ok, is.reason = c.instanceHealth(f, a.Number)
	if in, _ := c.arms(f, a.Number); in != nil && in.host != nil {
		is.host = in.host.key.Name
	}
	if !seen || is.ok != was.ok {
		is.since = c.now()
	}
	switch {
	case is.ok && !(seen && was.ok):
		c.event(topology.EventInstanceUp, f.key, is.host, fmt.Sprintf("instance %s works", a.In))
	case !is.ok && seen && was.ok:
		c.event(topology.EventInstanceDown, f.key, was.host, fmt.Sprintf("instance %s does not work any more: %s", a.In, is.reason))
	}
	return is
}

// functionsSeen has the functions looked at that go by whether a host lives: those that have
// instances there, and those that it sends to, since it may have said who lives.
func (c *Controller) functionsSeen(h *host) {
	for e := range h.endpoints {
		if e.function != nil {
			c.dirty.phases[&e.function.object] = true
		}
	}
	for f := range h.functions {
		c.dirty.phases[&f.object] = true
	}
}

// instanceStatus is how the instances of a function are.
func (c *Controller) instanceStatus(f *function) []topology.InstanceStatus {
	if f == nil {
		return nil
	}
	var list []topology.InstanceStatus
	for i, a := range f.spec.Allocated.Instances {
		st := topology.InstanceStatus{In: a.In, Out: f.spec.Spec.Instances[i].Out, Number: a.Number, Drain: f.spec.Spec.Instances[i].Drain}
		st.Healthy, st.Reason = c.instanceHealth(f, a.Number)
		if in, _ := c.arms(f, a.Number); in != nil && in.host != nil {
			st.Host = in.host.key.Name
		}
		if was, seen := f.conditions[a.Number]; seen && was.ok == st.Healthy {
			st.Since = was.since.UTC().Truncate(time.Millisecond)
		}
		list = append(list, st)
	}
	return list
}

// hopStatus is how the functions of a chain fare.
func (c *Controller) hopStatus(ch *chain) []topology.HopStatus {
	if ch == nil {
		return nil
	}
	var list []topology.HopStatus
	w := ch.current()
	for i, f := range w.hops {
		st := topology.HopStatus{
			HopAllocation: w.spec.Allocated.Hops[i], Type: f.spec.Spec.Type,
			FailMode: f.spec.FailModeText(), Tagged: f.spec.Spec.Tagged,
		}
		for _, in := range c.instanceStatus(f) {
			st.Instances = append(st.Instances, topology.HopInstance{InstanceStatus: in})
		}
		list = append(list, st)
	}
	return list
}
