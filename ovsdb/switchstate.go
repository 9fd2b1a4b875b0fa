package ovsdb

import (
	"fmt"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// switchState is how far a host's switch has come with what its rows ask for.
type switchState struct {
	ready bool
	// pending is what the switch has still to do; nothing is wrong yet.
	pending string
	// nudge says that it may help if the switch looks at its rows once more.
	// It does not move a port that is in the way before it does; and when what
	// it reports, a datapath id or an OpenFlow port, changes twice in quick
	// succession, the first report can be the one that stays (seen with 3.1).
	nudge bool
	// problems are errors that the switch reports, and what to do.
	problems []string
}

// checkSwitch reads what the switch has reported about rows that are as wished.
func checkSwitch(db *replica, w wish) switchState {
	var s switchState
	_, br, ok := db.bridge(BridgeName)
	if !ok || string(br.DatapathID) != datapathID(w.assign.DatapathID) {
		s.pending = "bridge " + BridgeName
		s.nudge = br.DatapathID != ""
		return s
	}
	tunnel, ok := db.interfaces.rows[db.index().interfaces[TunnelPort]]
	switch n := tunnel.OFPort; {
	case !ok || !owned(tunnel.ExternalIDs):
		// The plan says what is in the way.
	case tunnel.Error != "":
		s.problems = append(s.problems, fmt.Sprintf("the switch cannot add the tunnel port %s: %s", TunnelPort,
			printable(string(tunnel.Error), 256)))
	case n < 0:
		s.problems = append(s.problems, fmt.Sprintf(
			"the switch could not add the tunnel port %s: its log (ovs-vswitchd.log) says why; another VXLAN port on this host "+
				"with the same UDP port is the usual reason", TunnelPort))
	case n == TunnelOFPort:
		s.ready = true
	case n == 0:
		s.pending = "tunnel port " + TunnelPort
	default:
		if taker := ofportTaken(db, br); taker != "" {
			s.problems = append(s.problems, taker)
			break
		}
		s.pending = fmt.Sprintf("tunnel port %s as OpenFlow port %d (it has %d)", TunnelPort, TunnelOFPort, n)
		s.nudge = true
	}
	return s
}

// ofportTaken explains who keeps the tunnel port from its number: a switch moves
// other interfaces out of the way, but not one that asks for that number too.
func ofportTaken(db *replica, br bridgeRow) string {
	for i := range db.bridgeInterfaces(br, make(map[string]bool)) {
		if i.Name == TunnelPort || i.OFPortRequest != TunnelOFPort {
			continue
		}
		name := printable(i.Name, 64)
		return fmt.Sprintf(`OpenFlow port %d of %s, which the tunnel port needs, is taken by %s: run "ovs-vsctl set interface %s `+
			`ofport_request=N" with another number, or "ovs-vsctl del-port %s"`, TunnelOFPort, BridgeName, name, name, name)
	}
	return ""
}

// nudgePlan makes a switch look at its rows once more, in the way in which every
// ovs-vsctl does: by counting up next_cfg.
func nudgePlan(db *replica) plan {
	root, _, ok := db.theRoot()
	if !ok {
		return plan{}
	}
	return plan{ops: []ovsdb.Operation{opMutate("Open_vSwitch", root,
		*ovsdb.NewMutation("next_cfg", ovsdb.MutateOperationAdd, 1))}}
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
