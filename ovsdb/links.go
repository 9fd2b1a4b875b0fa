package ovsdb

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Links are what gateways need on one host besides what every host has.
type Links struct {
	// Tunnels lead to the hosts of the gateways that this host uses; each ID
	// and each Remote once.
	Tunnels []Tunnel
	// Tick asks for a pair of patch ports on br-int with CFM on one, by which the
	// switch sends a frame (Ethernet type 0x8902) into its own tables ten
	// times a second. They come in at TickOFPort.
	Tick bool
}

// Tunnel is a VXLAN port to one gateway host, with BFD on it.
type Tunnel struct {
	ID     uint32     // the gateway host's number, 1 to 10000
	Remote netip.Addr // its VTEP
	// Patient links need 250 ms instead of 150 to notice a death.
	Patient bool
	// Mutual asks for two more ports, by which hosts of a gateway take turns: one is up
	// while the other host is there, the other while it misses this one.
	Mutual bool
}

// LinkState is what a switch says about the link to one gateway host.
type LinkState struct {
	ID uint32 // the gateway host's number
	// Up is bfd_status:forwarding, which is what fast failover goes by.
	Up bool
	// Known says that the switch has reported a BFD status.
	Known bool
}

// clone is l with its tunnels sorted by ID.
func (l Links) clone() Links {
	l.Tunnels = slices.Clone(l.Tunnels)
	slices.SortFunc(l.Tunnels, func(a, b Tunnel) int { return cmp.Compare(a.ID, b.ID) })
	return l
}

func (l Links) equal(m Links) bool { return l.Tick == m.Tick && slices.Equal(l.Tunnels, m.Tunnels) }

func linkName(id uint32) string { return linkPrefix + strconv.FormatUint(uint64(id), 10) }

func presenceName(id uint32) string { return presencePrefix + strconv.FormatUint(uint64(id), 10) }

func standInName(id uint32) string { return standInPrefix + strconv.FormatUint(uint64(id), 10) }

// linkList is the state of the links that are wished and that the switch has
// built, sorted by ID.
func linkList(db *replica, w wish) []LinkState {
	_, br, ok := db.bridge(BridgeName)
	if !ok || len(w.assign.Links.Tunnels) == 0 {
		return nil
	}
	wished := make(map[string]uint32, len(w.assign.Links.Tunnels))
	for _, t := range w.assign.Links.Tunnels {
		wished[linkName(t.ID)] = t.ID
	}
	var list []LinkState
	for i := range db.bridgeInterfaces(br, make(map[string]bool)) {
		if !strings.HasPrefix(i.Name, linkPrefix) || !owned(i.ExternalIDs) {
			continue
		}
		if id, ok := wished[i.Name]; ok && ofport(i.OFPort) == LinkOFPort(id) {
			delete(wished, i.Name)
			list = append(list, LinkState{ID: id, Up: i.BFDStatus.forwarding, Known: i.BFDStatus.known})
		}
	}
	slices.SortFunc(list, func(a, b LinkState) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// SetLinks replaces the links of the host's assignment while its session lasts, and
// does nothing if the host has no session. It is newer than the answer of a
// HostSeen that was called before it, even if that has yet to return.
func (s *Server) SetLinks(host string, l Links) {
	s.mu.Lock()
	ss := s.hosts[host]
	s.mu.Unlock()
	if ss == nil {
		return
	}
	l = l.clone()
	ss.mu.Lock()
	ss.newLinks = &l
	ss.mu.Unlock()
	ss.rouse()
}
