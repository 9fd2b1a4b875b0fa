package controller

import (
	"slices"

	"github.com/dovetail-sdn/dovetail/ovsdb"
)

// A gateway host that hears nobody cannot know whether the others are dead or it is cut
// off, and must not carry a lane that another one carries. Two gateway hosts alone
// cannot tell; a host that carries no gateway is a witness. See
// docs/decisions/0008-gateways.md.

// Links to witnesses are patient: a host whose ovs-vswitchd was busy for a moment loses
// its other links, and must not think that it is cut off.

// maxWitnesses is how many hosts answer all gateway hosts.
const maxWitnesses = 3

// chooseWitnesses takes the hosts with the lowest numbers that no gateway names. Numbers are
// spread, so that a host which is new seldom changes the choice.
func (c *Controller) chooseWitnesses() {
	var list []*host
	if len(c.model.gateways) > 0 {
		named := map[string]bool{}
		for _, g := range c.model.gateways {
			for _, gh := range g.spec.Spec.Hosts {
				named[gh.Name] = true
			}
		}
		for name, h := range c.model.hosts {
			if named[name] || !h.vtep().IsValid() {
				continue
			}
			i, _ := slices.BinarySearchFunc(list, h, byNumber)
			list = slices.Insert(list, i, h)
			list = list[:min(len(list), maxWitnesses)]
		}
	}
	if slices.Equal(list, c.witnesses) {
		return
	}
	for _, h := range slices.Concat(c.witnesses, list) {
		c.dirty.outside[h] = true
	}
	c.witnesses = list
	c.guardsDirty()
}

func byNumber(a, b *host) int { return int(a.spec.Allocated.ID) - int(b.spec.Allocated.ID) }

// guardsDirty has those compiled again who go by witnesses.
func (c *Controller) guardsDirty() {
	for _, g := range c.model.gateways {
		for _, h := range c.carriers(g) {
			c.dirty.outside[h] = true
		}
		c.dirty.phases[&g.object] = true
	}
}

// guards are the witnesses of a gateway's hosts: none if nobody could take its lanes over.
func (c *Controller) guards(carriers map[string]*host) []*host {
	if len(carriers) < 2 {
		return nil
	}
	return c.witnesses
}

// heardPorts are the ports of the tunnels by which a host knows that it is not cut off.
// The link to a peer is down while somebody stands in for that, and does not tell.
func heardPorts(h *host, linked, peers map[*host]bool) []uint32 {
	var ports []uint32
	for k := range linked {
		switch id := k.spec.Allocated.ID; {
		case peers[k]:
			ports = append(ports, ovsdb.PresenceOFPort(id))
		case k != h:
			ports = append(ports, ovsdb.LinkOFPort(id))
		}
	}
	slices.Sort(ports)
	return ports
}
