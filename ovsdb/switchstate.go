package ovsdb

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// switchState is how far a host's switch has come with what its rows ask for.
type switchState struct {
	// ready says that it has the bridge and the tunnel port. Other ports may be
	// missing: only those who use them are the worse for it.
	ready bool
	// pending is what the switch has still to do; nothing is wrong yet.
	pending string
	// nudge says that it may help if the switch looks at its rows once more.
	// It does not move a port that is in the way before it does; and when what
	// it reports, a datapath id or an OpenFlow port, changes twice in quick
	// succession, the first report can be the one that stays (seen with 3.1).
	// And it refuses a tunnel to an address for which another one goes.
	nudge bool
	// problems stand in the way, with what to do.
	problems []string
	// errors are those that the switch reports and a nudge may solve.
	errors []string
}

// checkSwitch reads what the switch has reported about rows that are as wished.
// numbers are the OpenFlow ports that the ports of br-int are to have.
func checkSwitch(db *replica, w wish, numbers map[string]int) switchState {
	var s switchState
	_, br, ok := db.bridge(BridgeName)
	if !ok || string(br.DatapathID) != datapathID(w.assign.DatapathID) {
		s.pending = "bridge " + BridgeName
		s.nudge = br.DatapathID != ""
		return s
	}
	takers := sync.OnceValue(func() map[int]string { return ofportTakers(db, br, numbers) })
	x := db.index()
	var pending []string
	for _, name := range sortedKeys(numbers) {
		iface, ok := db.interfaces.rows[x.interfaces[name]]
		if !ok || !owned(iface.ExternalIDs) {
			continue // the plan says what is in the way
		}
		what := "port " + name
		if name == TunnelPort {
			what = "tunnel port " + name
			s.ready = int(iface.OFPort) == TunnelOFPort && iface.Error == ""
		}
		if missing := s.checkPort(iface, what, numbers[name], takers); missing != "" {
			pending = append(pending, missing)
		}
	}
	s.pending = strings.Join(pending, ", ")
	return s
}

// checkPort says what the switch has still to do for an interface of ours.
func (s *switchState) checkPort(iface interfaceRow, what string, number int, takers func() map[int]string) (pending string) {
	switch n := int(iface.OFPort); {
	case iface.Error != "":
		if iface.Type != "patch" { // patchProblems has those
			s.failed("the switch cannot add the %s: %s", what, printable(string(iface.Error), 256))
		}
	case n == number:
	case n < 0:
		s.failed("the switch could not add the %s: its log (ovs-vswitchd.log) says why; another VXLAN port on this host "+
			"with the same UDP port, or another to the same address, is the usual reason", what)
	case n == 0:
		return what
	default:
		if taker := takers()[number]; taker != "" {
			s.problems = append(s.problems, fmt.Sprintf(`OpenFlow port %d of %s, which the %s needs, is taken by %s: run "ovs-vsctl set interface %s `+
				`ofport_request=N" with another number, or "ovs-vsctl del-port %s"`, number, BridgeName, what, taker, taker, taker))
			return ""
		}
		s.nudge = true
		return fmt.Sprintf("%s as OpenFlow port %d (it has %d)", what, number, n)
	}
	return ""
}

func (s *switchState) failed(format string, a ...any) {
	s.nudge = true
	s.errors = append(s.errors, fmt.Sprintf(format, a...))
}

// ofportTakers are the names of those who keep our ports from their numbers: a
// switch moves other interfaces out of the way, but not one that asks for that
// number too.
func ofportTakers(db *replica, br bridgeRow, numbers map[string]int) map[int]string {
	takers := make(map[int]string)
	for i := range db.bridgeInterfaces(br, make(map[string]bool)) {
		if _, ours := numbers[i.Name]; !ours && i.OFPortRequest > 0 {
			takers[int(i.OFPortRequest)] = printable(i.Name, 64)
		}
	}
	return takers
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
