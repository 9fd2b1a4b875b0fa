package ovsdb

import (
	"fmt"
	"slices"
)

// switchState is how far a host's switch has come with what its rows ask for.
type switchState struct {
	ready   bool
	pending bool // nothing is wrong yet, but the switch has not built it
	// problems are errors that the switch reports, and what to do.
	problems []string
}

// checkSwitch reads what the switch has reported about rows that are as wished.
func checkSwitch(db *replica, w wish) switchState {
	_, br, ok := db.bridge(BridgeName)
	if !ok {
		return switchState{pending: true}
	}
	var s switchState
	x := db.index()
	tunnel, ok := db.interfaces.rows[x.interfaces[TunnelPort]]
	switch n := tunnel.OFPort; {
	case !ok:
		s.pending = true
	case !owned(tunnel.ExternalIDs):
		return s // the plan says that it is in the way
	case tunnel.Error != "":
		s.problems = append(s.problems, fmt.Sprintf("the switch cannot add the tunnel port %s: %s", TunnelPort,
			printable(string(tunnel.Error), 256)))
	case n == TunnelOFPort:
	case n < 0:
		s.problems = append(s.problems, fmt.Sprintf(
			"the switch could not add the tunnel port %s: its log (ovs-vswitchd.log) says why; another VXLAN port on this host "+
				"with the same UDP port is the usual reason", TunnelPort))
	case n > 0:
		s.problems = append(s.problems, ofportTaken(db, br, n))
	default:
		s.pending = true
	}
	if string(br.DatapathID) != datapathID(w.assign.DatapathID) {
		s.pending = true
	}
	s.ready = !s.pending && len(s.problems) == 0
	return s
}

// ofportTaken explains a tunnel port with another number. A switch gives the
// number that is asked for unless an interface has it that is not to move.
func ofportTaken(db *replica, br bridgeRow, got optInt) string {
	for i := range db.bridgeInterfaces(br, make(map[string]bool)) {
		if i.Name == TunnelPort || i.OFPort != TunnelOFPort && i.OFPortRequest != TunnelOFPort {
			continue
		}
		name := printable(i.Name, 64)
		return fmt.Sprintf(`OpenFlow port %d of %s, which the tunnel port needs, is taken by %s: run "ovs-vsctl set interface %s `+
			`ofport_request=N" with another number, or "ovs-vsctl del-port %s"`, TunnelOFPort, BridgeName, name, name, name)
	}
	return fmt.Sprintf(`the tunnel port %s has OpenFlow port %d and not %d: run "ovs-vsctl del-port %s", it will be made again`,
		TunnelPort, got, TunnelOFPort, TunnelPort)
}

// patchProblems are errors that the switch reports for other ports of ours.
func patchProblems(db *replica) []string {
	var problems []string
	for _, i := range db.interfaces.rows {
		if i.Error != "" && i.Type == "patch" && owned(i.ExternalIDs) {
			problems = append(problems, fmt.Sprintf("the switch cannot add port %s: %s", printable(i.Name, 64),
				printable(string(i.Error), 256)))
		}
	}
	slices.Sort(problems)
	return problems
}
