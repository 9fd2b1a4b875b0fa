package ovsdb

import "net/netip"

const (
	linkPrefix = namePrefix + "l"
	tickSource = namePrefix + "tick0" // has CFM, and sends
	tickInput  = namePrefix + "tick1"

	// reflectedVNI is the VNI under which a gateway host sends back the packets
	// that come under none, VNI 0. They meet no tunnel but the link that they
	// came from: no network has either VNI.
	reflectedVNI = "16777215"
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
		bfd := strMap{"enable": "true", "min_tx": "50", "min_rx": "50"}
		if t.Patient {
			bfd["mult"] = "5"
		}
		p.ensurePort(p.brUUID, portSpec{
			name: linkName(t.ID), kind: "vxlan", ofport: int(LinkOFPort(t.ID)),
			options: strMap{
				"remote_ip": t.Remote.Unmap().String(), "local_ip": p.w.info.EncapIP.String(), "out_key": "0", "in_key": reflectedVNI,
			},
			bfd: bfd,
		})
	}
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
