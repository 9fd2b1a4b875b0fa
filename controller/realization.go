package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// vxlanOverhead is what VXLAN adds to an inner IP packet: Ethernet, VXLAN, UDP
// and the outer IP header (RFC 7348, 5).
func vxlanOverhead(outerIPv4 bool) int {
	if outerIPv4 {
		return 14 + 8 + 8 + 20
	}
	return 14 + 8 + 8 + 40
}

// Status implements rest.Realization. An unknown key gives a pending status.
func (c *Controller) Status(key topology.Key) topology.Status {
	c.mu.RLock()
	defer c.mu.RUnlock()
	o := c.object(key)
	if o == nil {
		return topology.Status{Phase: topology.PhasePending, Reason: "the controller has not seen it yet"}
	}
	phase, reason := c.judge(o)
	s := topology.Status{Phase: phase, Reason: reason}
	if phase == o.phase {
		s.Since = o.since.UTC().Truncate(time.Millisecond)
	}
	s.Hosts = c.hostStatus(o)
	switch key.Kind {
	case topology.KindEndpoint:
		if e := c.model.endpoints[key]; e != nil && e.binding != nil {
			b := *e.binding
			s.Binding = &b
		}
	case topology.KindNetwork:
		s.Warnings = c.mtuWarnings(c.model.networks[key])
	case topology.KindHost:
		s.Connected = connected(c.model.hosts[key.Name])
	case topology.KindRouter:
		s.Warnings = c.routerWarnings(c.model.routers[key])
	case topology.KindGateway:
		s.Lanes = c.laneStatus(c.model.gateways[key])
		s.Warnings = c.gatewayWarnings(c.model.gateways[key])
	case topology.KindExternalNetwork:
		s.Warnings = c.hopWarnings(c.model.externals[key])
		s.Peers = c.peerStatus(c.model.externals[key])
	case topology.KindServiceFunction:
		s.Instances = c.instanceStatus(c.model.functions[key])
	case topology.KindChain:
		s.Hops = c.hopStatus(c.model.chains[key])
	}
	return s
}

// object finds what all kinds have; a deleted object counts while it lasts.
func (c *Controller) object(key topology.Key) *object {
	m := &c.model
	switch key.Kind {
	case topology.KindTenant:
		if o := m.tenants[key]; o != nil {
			return o
		}
	case topology.KindNetwork:
		if n := m.networks[key]; n != nil {
			return &n.object
		}
	case topology.KindRouter:
		if r := m.routers[key]; r != nil {
			return &r.object
		}
	case topology.KindEndpoint:
		if e := m.endpoints[key]; e != nil {
			return &e.object
		}
	case topology.KindHost:
		if h := m.hosts[key.Name]; h != nil {
			return &h.object
		}
	case topology.KindExternalNetwork:
		if x := m.externals[key]; x != nil {
			return &x.object
		}
	case topology.KindGateway:
		if g := m.gateways[key]; g != nil {
			return &g.object
		}
	case topology.KindFloatingIP:
		if f := m.floats[key]; f != nil {
			return &f.object
		}
	case topology.KindService:
		if s := m.services[key]; s != nil {
			return &s.object
		}
	case topology.KindServiceFunction:
		if f := m.functions[key]; f != nil {
			return &f.object
		}
	case topology.KindChain:
		if ch := m.chains[key]; ch != nil {
			return &ch.object
		}
	}
	return m.removed[key]
}

// feedsOf are the feeds that an object is in.
func (c *Controller) feedsOf(key topology.Key) map[*follow]bool {
	feeds := map[*follow]bool{}
	m := &c.model
	switch key.Kind {
	case topology.KindNetwork:
		if n := m.networks[key]; n != nil {
			feeds[n.feed] = true
		}
	case topology.KindRouter:
		if r := m.routers[key]; r != nil {
			feeds[r.feed] = true
		}
	case topology.KindEndpoint:
		if e := m.endpoints[key]; e != nil && e.net != nil && e.host != nil {
			feeds[e.net.feed], feeds[e.host.feed] = true, true
		}
	case topology.KindHost:
		if h := m.hosts[key.Name]; h != nil {
			feeds[h.feed] = true
		}
	case topology.KindExternalNetwork:
		if x := m.externals[key]; x != nil {
			feeds[x.feed] = true
		}
	case topology.KindGateway:
		if g := m.gateways[key]; g != nil {
			feeds[g.feed] = true
		}
	case topology.KindFloatingIP:
		if f := m.floats[key]; f != nil && f.on != nil {
			feeds[f.on] = true
		}
	case topology.KindService:
		if s := m.services[key]; s != nil {
			for r := range s.gw.routers {
				if r.key.Tenant == key.Tenant {
					feeds[r.feed] = true
				}
			}
		}
	case topology.KindServiceFunction:
		if f := m.functions[key]; f != nil {
			feeds[f.feed] = true
			for h := range f.hosts {
				feeds[h.feed] = true
			}
		}
	case topology.KindChain:
		if ch := m.chains[key]; ch != nil {
			feeds[ch.feed] = true
		}
	}
	return feeds
}

func (c *Controller) hostStatus(o *object) []topology.HostPart {
	feeds := c.feedsOf(o.key)
	for _, n := range o.needs {
		feeds[n.feed] = true
	}
	var list []topology.HostPart
	for _, h := range hostsOf(feeds) {
		hs := topology.HostPart{Name: h.key.Name, Acknowledged: true}
		for _, n := range o.needs {
			if n.feed.followers[h] {
				acked, ok := c.switches.Acked(h.spec.Allocated.DatapathID, n.feed.Feed)
				hs.Acknowledged = hs.Acknowledged && ok && acked >= n.seq
			}
		}
		if !h.openflowUp {
			hs.Acknowledged = false
			hs.Error = "not connected since " + h.awaySince.UTC().Format(time.RFC3339)
		}
		for r, text := range o.refused {
			if r.host == h.key.Name {
				hs.Acknowledged, hs.Error = false, text
			}
		}
		list = append(list, hs)
	}
	return list
}

func (c *Controller) mtuWarnings(n *network) []string {
	if n == nil {
		return nil
	}
	var w []string
	for h := range n.hosts {
		need := n.spec.Allocated.MTU + vxlanOverhead(h.vtep().Is4())
		if have := h.spec.Allocated.UnderlayMTU; have > 0 && have < need {
			w = append(w, fmt.Sprintf("MTU %d does not fit the underlay of host %s: its MTU is %d and must be at least %d; packets over %d bytes are lost",
				n.spec.Allocated.MTU, h.key.Name, have, need, n.spec.Allocated.MTU-(need-have)))
		}
	}
	slices.Sort(w)
	return w
}

func connected(h *host) []string {
	var s []string
	if h != nil && h.ovsdbUp {
		s = append(s, "ovsdb")
	}
	if h != nil && h.openflowUp {
		s = append(s, "openflow")
	}
	return s
}

// WaitRealized implements rest.Realization.
func (c *Controller) WaitRealized(ctx context.Context, keys []topology.Key) error {
	if err := c.caughtUp(ctx, c.intent.Revision()); err != nil {
		return err
	}
	for _, key := range keys {
		if err := c.waitSettled(ctx, key); err != nil {
			return fmt.Errorf("waiting for %s: %w", key, err)
		}
	}
	return nil
}

func (c *Controller) waitSettled(ctx context.Context, key topology.Key) error {
	c.mu.Lock()
	o := c.object(key)
	if o == nil {
		c.mu.Unlock()
		return nil // it was deleted, and that is acknowledged; or it has failed, without flows
	}
	if phase, _ := c.judge(o); phase != topology.PhasePending {
		c.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	o.waiters = append(o.waiters, done)
	c.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		o.waiters = slices.DeleteFunc(o.waiters, func(w chan struct{}) bool { return w == done })
		c.mu.Unlock()
		return context.Cause(ctx)
	case <-c.stopped:
		return errors.New("the controller is stopping")
	}
}

// Events implements rest.Realization.
func (c *Controller) Events(ctx context.Context, after uint64) <-chan topology.Event {
	return c.events.follow(ctx, after)
}

// Ready implements rest.Realization.
func (c *Controller) Ready() error {
	select {
	case <-c.loaded:
		return nil
	default:
		return errors.New("the controller is loading the intent")
	}
}

// ResolveCookie returns the objects whose flows have the cookie: one, or rarely
// more, since the cookie holds a hash of the object's name.
func (c *Controller) ResolveCookie(cookie uint64) []topology.Key {
	c.mu.RLock()
	defer c.mu.RUnlock()
	id := uint32(cookie >> 32)
	var keys []topology.Key
	check := func(k topology.Key) {
		if openflow.SourceID(k.String()) == id {
			keys = append(keys, k)
		}
	}
	if openflow.SourceID(pipeline.BaseSource) == id {
		keys = append(keys, topology.Key{Kind: topology.KindPipeline, Name: "base"})
	}
	for k := range c.model.networks {
		check(k)
	}
	for k := range c.model.routers {
		check(k)
	}
	for k := range c.model.endpoints {
		check(k)
	}
	for k := range c.model.externals {
		check(k)
	}
	for k := range c.model.gateways {
		check(k)
	}
	for k := range c.model.floats {
		check(k)
	}
	for k := range c.model.functions {
		check(k)
	}
	for k := range c.model.chains {
		check(k)
	}
	for _, h := range c.model.hosts {
		check(h.key)
	}
	slices.SortFunc(keys, func(a, b topology.Key) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
