package pipeline

import "github.com/dovetail-sdn/dovetail/openflow"

// Bits of ct_state (ovs-fields(7)).
const (
	ctNew         = 0x01
	ctEstablished = 0x02
	ctRelated     = 0x04
	ctReply       = 0x08
	ctInvalid     = 0x10
	ctTracked     = 0x20
	ctSourceNAT   = 0x40
	ctDestNAT     = 0x80
)

func ctState(v, mask uint64) openflow.FieldValue { return openflow.CTState.UintMask(v, mask) }

// begunInside is the ct_mark of connections that were begun inside and are not translated.
var begunInside = openflow.CTMark.Uint(1)

// begin makes the packet's connection one that was begun inside.
func begin(zone uint16) openflow.Action {
	return openflow.CT{Commit: true, Zone: zone, Table: TableTracked, Mark: begunInside}
}

// Outside the TCP window that connection tracking remembers, the packets of a connection
// are invalid to it. A host that comes back missed what passed another one meanwhile, and
// must not hold that against the connection for ever. These are invalid, and show all the
// same that their connection is known: their source was translated, or their destination
// was translated back, or they have its mark.
var (
	invalid          = ctState(ctTracked|ctInvalid, ctTracked|ctInvalid)
	translatedAnyway = match(ctState(ctTracked|ctInvalid|ctSourceNAT, ctTracked|ctInvalid|ctSourceNAT))
	revertedAnyway   = match(ctState(ctTracked|ctInvalid|ctDestNAT, ctTracked|ctInvalid|ctDestNAT))
	begunAnyway      = match(invalid, begunInside)
)

var (
	established = match(ctState(ctTracked|ctEstablished, ctTracked|ctEstablished))
	related     = match(ctState(ctTracked|ctRelated, ctTracked|ctRelated|ctEstablished))
)

// answers are packets of connections that were begun inside, and errors about them.
func answers() []openflow.Match { return []openflow.Match{established, related, begunAnyway} }
