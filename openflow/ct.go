package openflow

import "net/netip"

// CT sends the packet through connection tracking (ct).
type CT struct {
	// Commit makes the packet's connection a known one. Force, with it, forgets one
	// that was begun from the other side.
	Commit, Force bool
	// Zone is the zone of the connection. With ZoneField, the zone is the 16 bits
	// of that field from bit ZoneOfs on instead.
	Zone      uint16
	ZoneField Field
	ZoneOfs   int
	// Table is where the packet goes on with its ct_state, as a copy; 0 means nowhere.
	// What follows in the list of actions is done to the packet as it was before.
	Table uint8
	NAT   NAT
	// Mark is a value of CTMark that the connection gets, perhaps under a mask. It
	// needs Commit, and so does a NAT with an address. No field means none.
	Mark FieldValue
	// Label copies into CTLabel what the connection is to be remembered by, in order. It
	// needs Commit. Those without a field come last and mean none.
	Label [3]Move
}

func (CT) isAction() {}

// NAT is what a CT does to addresses and ports.
type NAT struct {
	Kind NATKind
	// Min is the new address of a NATSource or NATDest, or with Max the first of
	// several to choose from.
	Min, Max netip.Addr
	// PortMin is the new port, or with PortMax the first of several to choose from;
	// 0 means any, if possible the one that it is.
	PortMin, PortMax uint16
}

// NATKind says what a NAT changes.
type NATKind uint8

// The kinds of NAT.
const (
	NATNone   NATKind = iota
	NATKnown          // what was decided when the connection was committed (nat)
	NATSource         // the source (nat(src=...))
	NATDest           // the destination (nat(dst=...))
)

// single leaves out the end of a range that has one address or port, as ovs-ofctl
// does.
func (n NAT) single() NAT {
	if n.Max == n.Min {
		n.Max = netip.Addr{}
	}
	if n.PortMax == n.PortMin {
		n.PortMax = 0
	}
	return n
}

// execActions are the actions that set mark and label, within exec().
func (a CT) execActions() []Action {
	actions := a.markActions()
	for _, m := range a.Label {
		if m != (Move{}) {
			actions = append(actions, m)
		}
	}
	return actions
}

func (a CT) markActions() []Action {
	if a.Mark.Field == 0 {
		return nil
	}
	if a.Mark.IsExact() {
		return []Action{SetField{a.Mark}}
	}
	var actions []Action
	for _, l := range a.Mark.loads() {
		actions = append(actions, l)
	}
	return actions
}
