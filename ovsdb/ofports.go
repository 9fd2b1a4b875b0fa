package ovsdb

import "hash/fnv"

// OpenFlow ports of br-int that have a number of their own. Ports without one get
// the lowest that is free from Open vSwitch, which hardly comes this far.
const (
	// TunnelOFPort is the OpenFlow port number of the VXLAN port on every host.
	TunnelOFPort = 1
	// TickOFPort is where the frames of Links.Tick come in.
	TickOFPort = 63000

	tickSourceOFPort    = 63001 // its peer, which has CFM
	firstPresenceOFPort = 30000
	firstStandInOFPort  = 40000
	firstLinkOFPort     = 50000
	maxLinkID           = 10000
	firstPatchOFPort    = 61000
	patchOFPorts        = 2000
)

// LinkOFPort is the OpenFlow port number of the link to the gateway host with a
// number, 1 to 10000.
func LinkOFPort(id uint32) uint32 { return firstLinkOFPort + id }

// PresenceOFPort and StandInOFPort are those of Tunnel.Mutual.
func PresenceOFPort(id uint32) uint32 { return firstPresenceOFPort + id }

// StandInOFPort is as PresenceOFPort.
func StandInOFPort(id uint32) uint32 { return firstStandInOFPort + id }

// PatchOFPorts returns the OpenFlow port numbers of the patch ports on br-int by
// physical network, as HostInfo.BridgeMappings has them: 61000 to 62999, by the
// name's hash and in order of the names. A new name changes the number of another
// one only in the rare case that their hashes collide. Of more than 2000 names
// those that are left over have none.
func PatchOFPorts(mappings map[string]string) map[string]uint32 {
	ports := make(map[string]uint32, len(mappings))
	taken := make(map[uint32]bool, len(mappings))
	for _, physnet := range sortedKeys(mappings) {
		if len(taken) == patchOFPorts {
			break
		}
		h := fnv.New32a()
		_, _ = h.Write([]byte(physnet))
		n := h.Sum32() % patchOFPorts
		for taken[n] {
			n = (n + 1) % patchOFPorts
		}
		taken[n] = true
		ports[physnet] = firstPatchOFPort + n
	}
	return ports
}
