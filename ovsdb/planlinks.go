package ovsdb

import (
	"net/netip"
	"strconv"
)

const (
	linkPrefix     = namePrefix + "l"
	presencePrefix = namePrefix + "p"
	standInPrefix  = namePrefix + "s"
	tickSource     = namePrefix + "tick0" // has CFM, and sends
	tickInput      = namePrefix + "tick1"
)

// The VNIs under which hosts send BFD packets to gateway hosts, and get them back. Those
// that come back meet no tunnel but the one that they came from: no network has any of
// these VNIs.
const (
	LinkVNI     = 0
	LinkBackVNI = 1<<24 - 6 + iota
	PresenceVNI
	PresenceBackVNI
	StandInVNI
	StandInBackVNI
)

// planLinks makes the links to gateway hosts. Their BFD sessions are with
// themselves; see docs/decisions/0008-gateways.md. A session that is not up sends
// once a second, whatever min_tx says (RFC 5880 section 6.8.3), so that it takes one
// or two seconds to come up, and needs 3 s instead of 150 ms to notice a death in the
// second after that. Of what else BFD can do
// (ovs-vswitchd.conf.db(5)) nothing is wanted: forwarding_if_rx would take other
// traffic for a sign of life, decay_min_rx would make an idle link slow to notice
// a death, and check_tnl_key would refuse all that comes back.
func (p *planner) planLinks() {
	for _, t := range p.w.assign.Links.Tunnels {
		if why := p.unusable(t); why != "" {
			p.problem("the controller wants a link with number %d to %s: %s; please report this", t.ID, t.Remote, why)
			continue
		}
		p.ensureLink(t, linkName(t.ID), LinkOFPort(t.ID), LinkVNI, LinkBackVNI, t.mult())
		if t.Mutual {
			p.ensureLink(t, presenceName(t.ID), PresenceOFPort(t.ID), PresenceVNI, PresenceBackVNI, "")
			p.ensureLink(t, standInName(t.ID), StandInOFPort(t.ID), StandInVNI, StandInBackVNI, "")
		}
	}
}

// mult is how many packets the session of a link misses before it is down; "" is BFD's
// default, 3.
func (t Tunnel) mult() string {
	if t.Patient {
		return "5"
	}
	return ""
}

// ensureLink makes a port to a gateway host whose BFD session is with itself: packets
// leave under one key and come back under another.
func (p *planner) ensureLink(t Tunnel, name string, ofport uint32, outKey, inKey int, mult string) {
	bfd := strMap{"enable": "true", "min_tx": "50", "min_rx": "50"}
	if mult != "" {
		bfd["mult"] = mult
	}
	p.ensurePort(p.brUUID, portSpec{
		name: name, kind: "vxlan", ofport: int(ofport),
		options: strMap{
			"remote_ip": t.Remote.Unmap().String(), "local_ip": p.w.info.EncapIP.String(), "out_key": strconv.Itoa(outKey), "in_key": strconv.Itoa(inKey),
		},
		bfd: bfd,
	})
}

func (p *planner) unusable(t Tunnel) string {
	switch {
	case t.ID < 1 || t.ID > maxLinkID:
		return "no such number can be"
	case !t.Remote.IsValid() || t.Remote == netip.IPv4Unspecified() || t.Remote == netip.IPv6Unspecified():
		return "it has no address"
	case p.wanted[linkName(t.ID)]:
		return "the number is taken"
	}
	return ""
}

// planTick makes the pair of patch ports of Links.Tick. CFM never hears anything,
// which it calls a fault, and sends all the same.
func (p *planner) planTick() {
	if !p.w.assign.Links.Tick {
		return
	}
	p.ensurePort(p.brUUID, portSpec{
		name: tickSource, kind: "patch", ofport: tickSourceOFPort, options: strMap{"peer": tickInput},
		cfmMPID: 1, otherConfig: strMap{"cfm_interval": "100"},
	})
	p.ensurePort(p.brUUID, portSpec{
		name: tickInput, kind: "patch", ofport: TickOFPort, options: strMap{"peer": tickSource},
	})
}
