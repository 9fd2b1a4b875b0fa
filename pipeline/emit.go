package pipeline

import (
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Emit takes what instances of a chain's functions give back to the next position. While a
// chain changes its way there is an old generation, or else nil: then each packet goes on
// by the one by which it came, so that none is lost and none goes round.
func Emit(c, old *Chain) []openflow.Flow {
	b := chainBuilder{Chain: c}
	for k := 1; k <= len(c.Hops); k++ {
		for _, back := range []bool{false, true} {
			if h := b.hop(k, back); !h.tap() {
				h.emit(old)
			}
		}
	}
	if old == nil {
		return b.flows
	}
	gone := chainBuilder{Chain: old}
	for k := 1; k <= len(old.Hops); k++ {
		for _, back := range []bool{false, true} {
			if h := gone.hop(k, back); !h.tap() && c.hopOf(h.Function) == 0 {
				h.emit(nil)
			}
		}
	}
	return append(b.flows, gone.flows...)
}

// emit takes what an instance gives back, in one direction, to the position behind it. A
// function with two ports says by the port which way the packet goes, others by the
// packet's headers.
func (h hopBuilder) emit(old *Chain) {
	var before *hopBuilder
	if old != nil {
		if k := old.hopOf(h.Function); k != 0 {
			b := (&chainBuilder{Chain: old}).hop(k, h.back)
			before = &b
			h.byGeneration(before)
		}
	}
	if h.Function.Spec.Type == topology.FunctionRewriting {
		h.emitRewritten(before)
		return
	}
	arm := uint64(armOut)
	if h.back {
		arm = armIn
	}
	if h.Alone || h.VLAN != 0 {
		h.given(before, TableEmit, 5, RegArm.Uint(arm))
		if !h.back {
			h.given(before, TableEmit, 5, RegArm.Uint(armBoth))
			return
		}
	} else {
		h.recognize(before, arm)
	}
	if h.back || !h.Alone && h.VLAN == 0 {
		h.recognize(before, armBoth)
	}
}

// byGeneration has a packet that is given back go on by the generation by which its
// connection came.
func (h hopBuilder) byGeneration(before *hopBuilder) {
	h.add(TableGeneration, 100, match(h.here.at(), before.ofGeneration()), before.proceed()...)
	h.add(TableGeneration, 50, match(h.here.at()), h.proceed()...)
}

// onwards takes a packet on that is given back; what is known of its generation decides
// the way, where there are two.
func (h hopBuilder) onwards(before *hopBuilder) []openflow.Action {
	if before == nil {
		return h.proceed()
	}
	return actions(h.here.enter(), openflow.CT{Zone: h.zone(), Table: TableGeneration})
}

// base matches what an instance of the function gives back, and takes its tag off.
func (h hopBuilder) base() (openflow.Match, []openflow.Action) {
	m := match(function(h.id()))
	if h.VLAN == 0 {
		return m, nil
	}
	return with(m, openflow.VLANVID.Uint(tagged|uint64(h.VLAN))), actions(openflow.PopVLAN{})
}

// given takes on what an instance gives back, whatever its headers are.
func (h hopBuilder) given(before *hopBuilder, table uint8, priority uint16, f ...openflow.FieldValue) {
	base, a := h.base()
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		h.add(table, priority, with(base, append(f[:len(f):len(f)], ethType(eth))...), append(a[:len(a):len(a)], h.onwards(before)...)...)
	}
}

// recognize takes on what has the headers of the chain's packets of the direction.
func (h hopBuilder) recognize(before *hopBuilder, arm uint64) {
	base, a := h.base()
	h.classify(h.classifier(h.back), h.conjunction(h.k, h.back)|uint32(arm), TableEmit, h.priority(h.back), with(base, RegArm.Uint(arm)), 0, append(a, h.onwards(before)...)...)
}

// emitRewritten takes on what a function sends that rewrites: back goes what answers the
// chain's sources, and forward everything else that does not come by the port to the
// sources. Behind the last function the chain has no say in what it sends as itself.
func (h hopBuilder) emitRewritten(before *hopBuilder) {
	if h.back {
		h.recognize(before, armIn)
		h.recognize(before, armBoth)
		return
	}
	base, a := h.base()
	// Nobody knows the connection yet that it may begin.
	a = append(a, set(RegArm.Uint(h.generation())), h.note(remember(h.Slot, RegInstance), rememberGeneration))
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		for _, arm := range []uint64{armOut, armBoth} {
			m := with(base, RegArm.Uint(arm), ethType(eth))
			h.add(TableEmit, 5, m, append(a[:len(a):len(a)], h.proceed()...)...)
			for _, p := range h.Own {
				if f := fieldsOf(p.Addr()); h.k == len(h.Hops) && f.eth == eth {
					h.add(TableEmit, 8, with(m, f.src.Prefix(p)), itself()...)
				}
			}
		}
	}
	h.add(TableEmit, 5, with(base, RegArm.Uint(armIn)), itself()...)
}

// itself has a packet go the way of any other endpoint's.
func itself() []openflow.Action {
	return actions(raise(FlagItself), openflow.Resubmit{Table: TableAntiSpoof})
}
