package openflow

// Flow is one entry of a flow table.
type Flow struct {
	Table    uint8
	Priority uint16
	Cookie   uint64
	Match    Match
	// Meter is the id of the meter that packets pass first; 0 means none.
	Meter uint32
	// Actions are applied in order; no actions and no Goto means drop.
	Actions []Action
	// Goto is the next table; 0 means none (a flow cannot go back to table 0).
	Goto uint8
}

// Match is a conjunction of fields. Each field appears once. The order given is
// kept in the text form only where ovs-ofctl keeps it; Encode sorts fields into
// the order in which Open vSwitch sends them.
type Match []FieldValue

// Group is one entry of the group table.
type Group struct {
	ID      uint32
	Type    GroupType
	Buckets []Bucket
}

// GroupType says which buckets of a group a packet takes.
type GroupType uint8

// The types of group (OpenFlow 1.3.5, A.3.4.2).
const (
	GroupAll GroupType = iota
	GroupSelect
	GroupIndirect
	GroupFastFailover
)

// Bucket is one set of actions of a group. A switch runs them in an order of its
// own and leaves some out, so only those are allowed that come out as they are
// given: PopVLAN, PushVLAN, DecTTL, then what sets fields, then one that sends
// the packet on (an output, Resubmit, ToGroup or CT). No actions mean drop.
type Bucket struct {
	Weight uint16 // for GroupSelect
	// WatchPort is the port that must be up for the bucket to be used. Each bucket
	// of a GroupFastFailover has one, those of a GroupSelect can; 0 means none.
	WatchPort uint32
	Actions   []Action
}

// Meter limits a rate: packets above it are dropped.
type Meter struct {
	ID uint32
	// Rate and Burst are in packets per second and packets, or in kbit/s and
	// kbit when KBPS is set.
	Rate, Burst uint32
	KBPS        bool
}

// EntryKind says what an Entry is.
type EntryKind uint8

// The kinds of Entry.
const (
	EntryFlow EntryKind = iota
	EntryGroup
	EntryMeter
)

// ID identifies an entry on a switch: a flow by Table, Priority and Cookie, a
// group or a meter by Number. It is comparable, so that it can be a map key.
type ID struct {
	Kind     EntryKind
	Table    uint8
	Priority uint16
	Number   uint32
	Cookie   uint64
}

// Entry is a flow, group or meter in wire form, ready to be sent to any number
// of switches. It is immutable once made.
type Entry struct {
	ID ID
	// Sum is a hash of the entry's content in canonical wire form (for a flow:
	// match and instructions). Two entries with the same ID and Sum are equal.
	Sum uint64
	// Add is the whole message that installs the entry (flow-mod ADD, group-mod
	// ADD, meter-mod ADD) with transaction id 0.
	Add []byte
}
