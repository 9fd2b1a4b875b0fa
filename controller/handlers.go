package controller

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// onSwitch runs f in the loop with the host of a datapath id, if there is one.
func (c *Controller) onSwitch(dpid uint64, f func(h *host)) {
	c.inbox.post(func() {
		if h := c.model.byDPID[dpid]; h != nil {
			f(h)
		}
	})
}

// onHost runs f in the loop with a host, if it is there. HostSeen has waited for a
// host that has just registered.
func (c *Controller) onHost(name string, f func(h *host)) {
	c.inbox.post(func() {
		if h := c.model.hosts[name]; h != nil {
			f(h)
		}
	})
}

// Connected implements ofctrl.Handler.
func (c *Controller) Connected(dpid uint64, remote net.Addr) {
	c.onSwitch(dpid, func(h *host) {
		c.log.Info().Str("host", h.key.Name).Stringer("remote", remote).Msg("OpenFlow session")
		c.forgetRefusals(h, nil) // what it still refuses it will refuse again
	})
}

// Disconnected implements ofctrl.Handler.
func (c *Controller) Disconnected(dpid uint64, err error) {
	c.onSwitch(dpid, func(h *host) {
		if !h.openflowUp {
			return
		}
		h.openflowUp, h.awaySince, h.awayTold = false, c.now(), false
		c.metrics.hosts.WithLabelValues("openflow").Dec()
		c.log.Info().Str("host", h.key.Name).Err(err).Msg("OpenFlow session ended")
		c.event(topology.EventHostDown, h.key, h.key.Name, fmt.Sprintf("the OpenFlow session ended: %v", err))
		c.dirty.phases[&h.object] = true
		c.gatewaysSeen(h)
		c.functionsSeen(h)
		// The switch may have lost what it knew of its neighbours.
		c.probeAgain(h)
	})
}

// gatewaysSeen has the gateways looked at that a host uses or carries.
func (c *Controller) gatewaysSeen(h *host) {
	for g := range h.gateways {
		c.dirty.phases[&g.object] = true
	}
}

// Acked implements ofctrl.Handler. The first acknowledgement says that the switch
// was compared with its plan.
func (c *Controller) Acked(dpid uint64) { c.inbox.postAck(dpid) }

func (c *Controller) acked(dpid uint64) {
	h := c.model.byDPID[dpid]
	if h == nil {
		return
	}
	if _, ok := c.switches.Acked(dpid, h.feed.Feed); ok && !h.openflowUp {
		h.openflowUp = true
		c.metrics.hosts.WithLabelValues("openflow").Inc()
		c.event(topology.EventHostUp, h.key, h.key.Name, "the switch is as planned")
		c.dirty.phases[&h.object] = true
		for e := range h.endpoints {
			c.unsettled(e)
		}
		c.gatewaysSeen(h)
		c.functionsSeen(h)
	}
	for f := range h.follows {
		if len(f.pending) > 0 {
			c.sweep[f] = true
		}
	}
}

// Refused implements ofctrl.Handler.
func (c *Controller) Refused(dpid uint64, feed *ofctrl.Feed, owner string, err error) {
	c.onSwitch(dpid, func(h *host) {
		c.log.Error().Str("host", h.key.Name).Str("owner", owner).Err(err).Msg("the switch refused")
		for f := range h.follows {
			if f.Feed == feed {
				c.refused(h, f, owner, err)
				return
			}
		}
	})
}

func (c *Controller) refused(h *host, f *follow, owner string, err error) {
	o := &h.object
	if owner != pipeline.BaseSource {
		key, perr := topology.ParseKey(owner)
		if o = c.object(key); perr != nil || o == nil {
			return
		}
	}
	if o.refused == nil {
		o.refused = map[refusal]string{}
	}
	o.refused[refusal{h.key.Name, f}] = err.Error()
	h.refusals[o] = true
	c.dirty.phases[o] = true
}

// forgetRefusals forgets what a host refused of a feed; of all feeds if that is nil.
func (c *Controller) forgetRefusals(h *host, f *follow) {
	for o := range h.refusals {
		left := false
		for r := range o.refused {
			if r.host != h.key.Name {
				continue
			}
			if f == nil || r.feed == f {
				delete(o.refused, r)
				c.dirty.phases[o] = true
			} else {
				left = true
			}
		}
		if !left {
			delete(h.refusals, o)
		}
	}
}

// PacketIn implements ofctrl.Handler.
func (c *Controller) PacketIn(dpid uint64, pkt openflow.PacketIn) {
	post := c.inbox.postPacket
	if forAnInstance(pkt) {
		post = c.inbox.postAnswer
	}
	if id, ok := pipeline.ProbeID(pkt); ok {
		post(func() {
			if h := c.model.byDPID[dpid]; h != nil {
				c.probeArrived(h, id)
			}
		})
		return
	}
	pkt.Fields, pkt.Data = slices.Clone(pkt.Fields), bytes.Clone(pkt.Data)
	post(func() {
		if h := c.model.byDPID[dpid]; h != nil {
			c.packetArrived(h, pkt)
		}
	})
}

// Drift implements ofctrl.Handler.
func (c *Controller) Drift(dpid uint64, found []ofctrl.Drift) {
	for _, d := range found {
		c.metrics.drift.WithLabelValues(string(d.Kind)).Inc()
	}
	c.onSwitch(dpid, func(h *host) {
		if len(found) > maxDriftEvents {
			c.event(topology.EventRepaired, h.key, h.key.Name, driftSummary(found))
			return
		}
		for _, d := range found {
			c.event(topology.EventRepaired, driftObject(d, h), h.key.Name, driftText(d))
		}
	})
}

// maxDriftEvents is how many entries that were put right at once are events of
// their own. Who deletes all flows of a host must not wash all other events away.
const maxDriftEvents = 20

// driftSummary is like "412 entries put right: 400 missing, 12 foreign".
func driftSummary(found []ofctrl.Drift) string {
	count := map[ofctrl.DriftKind]int{}
	for _, d := range found {
		count[d.Kind]++
	}
	var parts []string
	for _, kind := range []ofctrl.DriftKind{ofctrl.DriftMissing, ofctrl.DriftChanged, ofctrl.DriftForeign} {
		if n := count[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	return fmt.Sprintf("%d entries put right: %s", len(found), strings.Join(parts, ", "))
}

func driftText(d ofctrl.Drift) string {
	switch d.ID.Kind {
	case openflow.EntryGroup:
		return fmt.Sprintf("%s group %d put right", d.Kind, d.ID.Number)
	case openflow.EntryMeter:
		return fmt.Sprintf("%s meter %d put right", d.Kind, d.ID.Number)
	}
	return fmt.Sprintf("%s entry put right: table %d, priority %d, cookie %#x", d.Kind, d.ID.Table, d.ID.Priority, d.ID.Cookie)
}

// driftObject is whose the entry is; the host's if it is foreign or of the base.
func driftObject(d ofctrl.Drift, h *host) topology.Key {
	if k, err := topology.ParseKey(d.Owner); d.Owner != "" && err == nil {
		return k
	}
	return h.key
}

// Rejected implements ofctrl.Handler and ovsdb.Handler.
func (c *Controller) Rejected(remote net.Addr, err error) {
	c.event(topology.EventHostRejected, topology.Key{Kind: topology.KindHost}, "", fmt.Sprintf("%s: %v", remote, err))
}

// maxHosts bounds how many hosts register themselves. Without certificates anybody
// can say to be a host, and registered ones stay.
const maxHosts = 10_000

// HostSeen implements ovsdb.Handler: a host registers itself.
func (c *Controller) HostSeen(ctx context.Context, info ovsdb.HostInfo) (ovsdb.Assignment, error) {
	if !c.hasRoom(info.SystemID) {
		return ovsdb.Assignment{}, fmt.Errorf("%d hosts are registered, and %s is none of them: delete those that are gone for good with \"dovetail delete host NAME\"", maxHosts, info.SystemID)
	}
	if other := c.hostWithVTEP(info); other != "" {
		return ovsdb.Assignment{}, fmt.Errorf("VTEP address %s is host %s's: give each host its own with ovs-vsctl set Open_vSwitch . external_ids:dovetail-encap-ip=ADDRESS", info.EncapIP, other)
	}
	obj, err := c.intent.RegisterHost(ctx, info.SystemID, topology.HostAllocation{
		EncapIP: info.EncapIP, Hostname: info.Hostname, BridgeMappings: info.BridgeMappings,
		DatapathType: info.DatapathType, Version: info.Version, UnderlayMTU: info.UnderlayMTU,
	})
	if err != nil {
		return ovsdb.Assignment{}, fmt.Errorf("registering host %s: %w", info.SystemID, err)
	}
	// The switch dials in as soon as it is told to; its plan must be known by then.
	if err := c.caughtUp(ctx, obj.Metadata.Revision); err != nil {
		return ovsdb.Assignment{}, fmt.Errorf("registering host %s: %w", info.SystemID, err)
	}
	c.onHost(info.SystemID, func(h *host) {
		if !h.ovsdbUp {
			h.ovsdbUp = true
			c.metrics.hosts.WithLabelValues("ovsdb").Inc()
			c.log.Info().Str("host", h.key.Name).Msg("OVSDB session")
			c.functionsSeen(h)
		}
		c.dirty.phases[&h.object] = true
	})
	return ovsdb.Assignment{DatapathID: obj.Allocated.DatapathID, Controller: c.target(info.Local), Links: c.linksOf(info.SystemID)}, nil
}

// linksOf are the links that a host's gateways need.
func (c *Controller) linksOf(name string) ovsdb.Links {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if h := c.model.hosts[name]; h != nil {
		return h.wanted
	}
	return ovsdb.Links{}
}

func (c *Controller) hasRoom(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, known := c.model.hosts[name]
	return known || len(c.model.hosts) < maxHosts
}

func (c *Controller) hostWithVTEP(info ovsdb.HostInfo) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for name, h := range c.model.hosts {
		if name != info.SystemID && info.EncapIP.IsValid() && h.vtep() == info.EncapIP {
			return name
		}
	}
	return ""
}

// HostReady implements ovsdb.Handler.
func (c *Controller) HostReady(name string) {
	c.onHost(name, func(h *host) {
		h.ready = true
		c.dirty.phases[&h.object] = true
	})
}

// HostPorts implements ovsdb.Handler.
func (c *Controller) HostPorts(name string, ports []ovsdb.Port) {
	ports = slices.Clone(ports)
	c.onHost(name, func(h *host) { c.portsReported(h, ports) })
}

// HostRepaired implements ovsdb.Handler.
func (c *Controller) HostRepaired(name, what string) {
	c.metrics.repairs.Inc()
	c.onHost(name, func(h *host) {
		c.log.Warn().Str("host", name).Str("what", what).Msg("OVSDB row put right")
		c.event(topology.EventRepaired, h.key, name, what)
	})
}

// HostProblem implements ovsdb.Handler.
func (c *Controller) HostProblem(name, problem string) {
	c.onHost(name, func(h *host) {
		h.problem = problem
		c.dirty.phases[&h.object] = true
	})
}

// HostGone implements ovsdb.Handler. What the host reported last stays true.
func (c *Controller) HostGone(name string, err error) {
	c.onHost(name, func(h *host) {
		if h.ovsdbUp {
			h.ovsdbUp, h.ready = false, false
			c.metrics.hosts.WithLabelValues("ovsdb").Dec()
			c.event(topology.EventHostDown, h.key, name, fmt.Sprintf("the OVSDB session ended: %v", err))
		}
		h.links = nil
		c.functionsSeen(h)
		h.problem = "" // the next session says again what is wrong
		c.dirty.phases[&h.object] = true
	})
}

// HostLinks implements ovsdb.Handler.
func (c *Controller) HostLinks(name string, links []ovsdb.LinkState) {
	links = slices.Clone(links)
	c.onHost(name, func(h *host) { c.linksReported(h, links) })
}
