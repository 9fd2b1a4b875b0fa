package pipeline

import (
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Position is a place in a chain at which packets arrive, in one direction: hop 1 to the
// number of its functions, or 0, behind the last one of that direction.
type Position struct {
	Chain    uint32 // its id
	Backward bool
	Hop      int
}

// The parts of the VNI of a position: bits 22 and 23 are set, then come the chain, the
// direction, the hop and the instance.
const (
	chainVNIs    = 0xc00000
	chainShift   = 9
	backwardBit  = 1 << 8
	hopShift     = 5
	hopMask      = 7 << hopShift
	instanceBits = 5
	instanceMask = 1<<instanceBits - 1
	positionMask = 1<<24 - 1 - instanceMask
)

// VNI is the position's VNI, with the instance left open.
func (p Position) VNI() uint32 {
	vni := chainVNIs | p.Chain<<chainShift | uint32(p.Hop)<<hopShift
	if p.Backward {
		vni |= backwardBit
	}
	return vni
}

// at matches packets at the position, whatever instance they are for.
func (p Position) at() openflow.FieldValue {
	return RegPosition.UintMask(uint64(p.VNI()), positionMask)
}

// enter puts the packet at the position.
func (p Position) enter() openflow.Action {
	return openflow.Load{Value: uint64(p.VNI()), Dst: RegPosition, NBits: 24}
}

// backward matches packets by their direction in any chain.
func backward(back bool) openflow.FieldValue {
	if back {
		return RegPosition.UintMask(backwardBit, backwardBit)
	}
	return RegPosition.UintMask(0, backwardBit)
}

// inChain matches packets that are in some chain, or have just left it.
var inChain = RegPosition.UintMask(chainVNIs, chainVNIs)

// labelBits is how many bits of ct_label each hop has, from bit 0 on for hop 1.
const labelBits = 8

// remember notes in the connection which instance of a hop it uses, which a register says.
func remember(hop int, instance openflow.Field) openflow.Move {
	return openflow.Move{Src: instance, Dst: openflow.CTLabel, DstOfs: labelBits * (hop - 1), NBits: labelBits}
}

// recall says which instance of a hop the connection uses; 0 if that is not known.
func recall(hop int) openflow.Action {
	return openflow.Move{Src: openflow.CTLabel, SrcOfs: labelBits * (hop - 1), Dst: RegInstance, NBits: labelBits}
}

// notKnown matches connections of which it is not known which instance of a hop they use.
func notKnown(hop int) openflow.FieldValue {
	mask := make([]byte, 16)
	mask[len(mask)-hop*labelBits/8] = 0xff
	return openflow.CTLabel.Bytes(make([]byte, 16), mask)
}

func function(id uint32) openflow.FieldValue { return RegFunction.Uint(uint64(id)) }

func instance(number int) openflow.FieldValue { return RegInstance.Uint(uint64(number)) }

var outsideMAC = [6]byte(topology.OutsideMAC)
