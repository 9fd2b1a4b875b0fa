package pipeline

import (
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Position is a place in a chain at which packets arrive, in one direction: hop 1 to the
// number of its functions, or 0, behind the last one of that direction. Odd tells two
// generations of a chain apart, which lead different ways.
type Position struct {
	Chain    uint32 // its id
	Odd      bool
	Backward bool
	Hop      int
}

// The parts of the VNI of a position: bits 22 and 23 are set, then come the chain, its
// generation, the direction, the hop and the instance.
const (
	chainVNIs    = 0xc00000
	chainShift   = 10
	oddBit       = 1 << 9
	backwardBit  = 1 << 8
	hopShift     = 5
	instanceBits = 5
	instanceMask = 1<<instanceBits - 1
	positionMask = 1<<24 - 1 - instanceMask
	maxChain     = 1<<13 - 1
)

// VNI is the position's VNI, with the instance left open.
func (p Position) VNI() uint32 {
	vni := chainVNIs | p.Chain<<chainShift | uint32(p.Hop)<<hopShift
	if p.Odd {
		vni |= oddBit
	}
	if p.Backward {
		vni |= backwardBit
	}
	return vni
}

// positionOf is the position that a VNI stands for; its instance is left out. ok is false
// for the VNI of a network.
func positionOf(vni uint64) (p Position, ok bool) {
	p = Position{
		Chain:    uint32(vni&^chainVNIs) >> chainShift,
		Odd:      vni&oddBit != 0,
		Backward: vni&backwardBit != 0,
		Hop:      int(vni>>hopShift) & topology.MaxHops,
	}
	return p, vni>>24 == 0 && vni&chainVNIs == chainVNIs
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

func function(id uint32) openflow.FieldValue { return RegFunction.Uint(uint64(id)) }

func instance(number int) openflow.FieldValue { return RegInstance.Uint(uint64(number)) }

var outsideMAC = [6]byte(topology.OutsideMAC)
