package pipeline

import (
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// emit takes what an instance gives back, in one direction, to the position behind it. A
// function with two ports says by the port which way the packet goes, others by the
// packet's headers.
func (h hopBuilder) emit() {
	if h.Function.Spec.Type == topology.FunctionRewriting {
		h.emitRewritten()
		return
	}
	base, a := h.given()
	arm := uint64(armOut)
	if h.back {
		arm = armIn
	}
	if h.Alone || h.VLAN != 0 {
		h.add(TableEmit, 5, with(base, RegArm.Uint(arm)), a...)
		if !h.back {
			h.add(TableEmit, 5, with(base, RegArm.Uint(armBoth)), a...)
			return
		}
	} else {
		h.recognize(with(base, RegArm.Uint(arm)), a)
	}
	if h.back || !h.Alone && h.VLAN == 0 {
		h.recognize(with(base, RegArm.Uint(armBoth)), a)
	}
}

// given matches what an instance of the function gives back, and takes it on.
func (h hopBuilder) given() (base openflow.Match, a []openflow.Action) {
	base = match(function(h.id()))
	if h.VLAN != 0 {
		base = with(base, openflow.VLANVID.Uint(tagged|uint64(h.VLAN)))
		a = actions(openflow.PopVLAN{})
	}
	return base, append(a, h.proceed()...)
}

// recognize takes on what has the headers of the chain's packets of the direction.
func (h hopBuilder) recognize(base openflow.Match, a []openflow.Action) {
	arm := uint32(0)
	for _, v := range base {
		if v.Field == RegArm {
			arm = uint32(v.Uint64())
		}
	}
	h.classify(h.classifier(h.back), h.conjunction(h.k, h.back)|arm, TableEmit, h.priority(h.back), base, 0, a...)
}

// emitRewritten takes on what a function sends that rewrites: back goes what answers the
// chain's sources, and forward everything else that does not come by the port to the
// sources. Behind the last function the chain has no say in what it sends as itself.
func (h hopBuilder) emitRewritten() {
	base, a := h.given()
	if h.back {
		for _, arm := range []uint64{armIn, armBoth} {
			h.recognize(with(base, RegArm.Uint(arm)), a)
		}
		return
	}
	last := h.k == len(h.Hops)
	known := openflow.CT{Commit: true, Zone: h.zone(), Label: [2]openflow.Move{remember(h.k, RegInstance)}}
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		for _, arm := range []uint64{armOut, armBoth} {
			m := with(base, RegArm.Uint(arm), ethType(eth))
			h.add(TableEmit, 5, m, append(a[:len(a)-2:len(a)-2], append(actions(known), h.proceed()...)...)...)
			for _, p := range h.Own {
				if f := fieldsOf(p.Addr()); last && f.eth == eth {
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
