package controller

import (
	"cmp"
	"context"
	"slices"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// takeIn applies a batch of the store's changes to the model.
func (c *Controller) takeIn(b store.Batch) {
	events := slices.Clone(b.Events)
	slices.SortStableFunc(events, func(x, y store.Event) int { return cmp.Compare(rank(x), rank(y)) })
	for _, ev := range events {
		if b.Initial || ev.BindingAfter == nil && ev.BindingBefore == nil {
			c.takeInEvent(ev) // later bindings are what the loop itself had stored
		}
		c.announce(ev, b.Initial)
	}
	if b.Revision > 0 {
		c.revision = b.Revision
	}
	if b.Synced {
		c.forgetRemembered()
		// Everything stored is compiled before anybody is let in.
		c.inbox.post(func() { c.inbox.post(c.opened) })
	}
	c.releaseBehind()
}

// rank orders the events of a batch so that what an object refers to comes before
// it, and goes after it.
func rank(ev store.Event) int {
	if ev.BindingBefore != nil || ev.BindingAfter != nil {
		return len(topology.Kinds()) + 1
	}
	order := []topology.Kind{topology.KindHost, topology.KindTenant, topology.KindExternalNetwork, topology.KindGateway,
		topology.KindNetwork, topology.KindEndpoint, topology.KindRouter, topology.KindFloatingIP, topology.KindService,
		topology.KindServiceFunction, topology.KindChain}
	if ev.After != nil {
		return slices.Index(order, ev.After.Key().Kind)
	}
	// Removals come first, so that what they free can be taken again.
	return -1 - slices.Index(order, ev.Before.Key().Kind)
}

func (c *Controller) takeInEvent(ev store.Event) {
	if ev.BindingAfter != nil {
		c.bindingLoaded(ev.BindingAfter)
		return
	}
	obj := ev.After
	if obj == nil {
		obj = ev.Before
	}
	switch obj.(type) {
	case *topology.Host:
		before, after := both[*topology.Host](ev)
		c.hostChanged(before, after)
	case *topology.Tenant:
		before, after := both[*topology.Tenant](ev)
		c.tenantChanged(before, after)
	case *topology.Network:
		before, after := both[*topology.Network](ev)
		c.networkChanged(before, after)
	case *topology.Router:
		before, after := both[*topology.Router](ev)
		c.routerChanged(before, after)
	case *topology.Endpoint:
		before, after := both[*topology.Endpoint](ev)
		c.endpointChanged(before, after)
	case *topology.ExternalNetwork:
		before, after := both[*topology.ExternalNetwork](ev)
		c.externalChanged(before, after)
	case *topology.Gateway:
		before, after := both[*topology.Gateway](ev)
		c.gatewayChanged(before, after)
	case *topology.FloatingIP:
		before, after := both[*topology.FloatingIP](ev)
		c.floatingChanged(before, after)
	case *topology.ServiceFunction:
		before, after := both[*topology.ServiceFunction](ev)
		c.functionChanged(before, after)
	case *topology.Chain:
		before, after := both[*topology.Chain](ev)
		c.chainChanged(before, after)
	case *topology.Service:
		before, after := both[*topology.Service](ev)
		c.serviceChanged(before, after)
	}
}

func both[T any](ev store.Event) (before, after T) {
	before, _ = ev.Before.(T)
	after, _ = ev.After.(T)
	return before, after
}

// announce tells readers of events about a change of the intent. What was there
// at start is no news.
func (c *Controller) announce(ev store.Event, initial bool) {
	switch {
	case initial || ev.BindingAfter != nil || ev.BindingBefore != nil:
	case ev.Before == nil:
		c.event(topology.EventCreated, ev.After.Key(), "", "created")
	case ev.After == nil:
		c.event(topology.EventDeleted, ev.Before.Key(), "", "deleted")
	default:
		c.event(topology.EventUpdated, ev.After.Key(), "", "updated")
	}
}

// opened lets switches in.
func (c *Controller) opened() {
	select {
	case <-c.loaded:
	default:
		close(c.loaded)
	}
}

// caughtUp waits until the intent up to the revision is in the feeds.
func (c *Controller) caughtUp(ctx context.Context, revision int64) error {
	c.mu.Lock()
	if c.revision >= revision {
		c.mu.Unlock()
		return nil
	}
	ch := make(chan struct{})
	c.behind[ch] = revision
	c.mu.Unlock()
	select {
	case <-ch:
		c.mu.RLock() // the loop flushes before it lets go of the lock
		defer c.mu.RUnlock()
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.behind, ch)
		c.mu.Unlock()
		return context.Cause(ctx)
	}
}

// releaseBehind wakes whoever waits for a revision.
func (c *Controller) releaseBehind() {
	for ch, rev := range c.behind {
		if c.revision >= rev {
			close(ch)
			delete(c.behind, ch)
		}
	}
}

// toStore turns endpoints whose binding changed into changes of the store.
func (c *Controller) toStore(list []*endpoint) []store.BindingChange {
	changes := make([]store.BindingChange, 0, len(list))
	for _, e := range list {
		changes = append(changes, store.BindingChange{Endpoint: e.key, Binding: e.binding})
	}
	return changes
}
