package pipeline

import "github.com/dovetail-sdn/dovetail/openflow"

// What connection tracking remembers of a chain's connection is in ct_label: eight bits for
// each slot, from bit 0 on for slot 1, which instance of a function it uses, and the
// last eight the generation of the chain by which it came to the functions here.
const (
	labelBits       = 8
	generationShift = 120
)

// remember notes in the connection which instance of the function with a slot it uses,
// which a register says.
func remember(slot int, instance openflow.Field) openflow.Move {
	return openflow.Move{Src: instance, Dst: openflow.CTLabel, DstOfs: labelBits * (slot - 1), NBits: labelBits}
}

// recall says which instance the connection uses; 0 if that is not known.
func recall(slot int) openflow.Action {
	return openflow.Move{Src: openflow.CTLabel, SrcOfs: labelBits * (slot - 1), Dst: RegInstance, NBits: labelBits}
}

// rememberGeneration notes by which generation the connection came, which RegArm says.
var rememberGeneration = openflow.Move{Src: RegArm, Dst: openflow.CTLabel, DstOfs: generationShift, NBits: labelBits}

// generation is what stands for a generation there; 0 is none.
func (c *Chain) generation() uint64 {
	if c.Odd {
		return 2
	}
	return 1
}

// of matches connections that came by the chain's generation.
func (c *Chain) ofGeneration() openflow.FieldValue {
	return labelAt(generationShift, byte(c.generation()))
}

// notKnown matches connections of which it is not known which instance they use.
func notKnown(slot int) openflow.FieldValue { return labelAt(labelBits*(slot-1), 0) }

// labelAt matches eight bits of ct_label, from a bit on.
func labelAt(bit int, v byte) openflow.FieldValue {
	value, mask := make([]byte, 16), make([]byte, 16)
	at := len(mask) - 1 - bit/8
	value[at], mask[at] = v, 0xff
	return openflow.CTLabel.Bytes(value, mask)
}

// note writes down which instances the connection uses, up to three.
func (c *Chain) note(moves ...openflow.Move) openflow.CT {
	ct := openflow.CT{Commit: true, Zone: c.zone()}
	copy(ct.Label[:], moves)
	return ct
}
