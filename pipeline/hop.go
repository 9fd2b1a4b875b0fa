package pipeline

import (
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// hopBuilder makes the flows of one hop in one direction.
type hopBuilder struct {
	*chainBuilder
	Hop
	k    int
	back bool
	here Position
	// onward is the position behind the hop.
	onward Position
}

func (b *chainBuilder) hop(k int, back bool) hopBuilder {
	return hopBuilder{b, b.Hops[k-1], k, back, b.position(k, back), b.behind(k, back)}
}

func (h hopBuilder) tap() bool { return h.Function.Spec.Type == topology.FunctionTap }

func (h hopBuilder) id() uint32 { return h.Function.Allocated.ID }

// proceed has the packet go on behind the hop.
func (h hopBuilder) proceed() []openflow.Action {
	if h.onward.Hop == 0 {
		return actions(h.onward.enter(), openflow.Resubmit{Table: TableEnd})
	}
	return actions(h.onward.enter(), openflow.Resubmit{Table: TableNext})
}

// next sends the packet to an instance. Where there is only one, what the connection
// uses is noted all the same: when a second one comes, it stays.
func (h hopBuilder) next() {
	numbers := h.Function.Allocated.Instances
	if h.tap() {
		h.add(TableNext, 100, match(h.here.at()), append(actions(toFunction(h.id(), groupCopy)), h.proceed()...)...)
		return
	}
	fresh := openflow.Load{Dst: RegFlags, Ofs: FlagChosen, NBits: 1}
	chosen := h.note(remember(h.Slot, RegInstance))
	h.goTo(TablePinned, 100, match(h.here.at()), TableHop, recall(h.Slot))
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		at := match(h.here.at(), ethType(eth))
		// A flow for each instance counts the connections that it gets.
		for _, i := range numbers {
			h.add(TablePin, 100, with(at, instance(i.Number)), chosen, openflow.Resubmit{Table: TableHop})
		}
		switch len(numbers) {
		case 0:
			h.goTo(TableNext, 100, at, TableFailed)
		case 1:
			h.goTo(TableNext, 100, at, TableHop, fresh, set(function(h.id())), set(instance(numbers[0].Number)), chosen)
		default:
			h.add(TableNext, 100, at, fresh, set(function(h.id())), openflow.CT{Zone: h.zone(), Table: TablePinned})
		}
	}
}

// failed is what happens to packets that no instance can take.
func (h hopBuilder) failed() {
	if h.Function.SkippedWithout() {
		// What was found out of the way here is not true of the next one.
		fresh := set(RegFlags.UintMask(0, 1<<FlagBefore|1<<FlagAstray|1<<FlagChosen))
		h.add(TableFailed, 100, match(h.here.at()), append(actions(fresh, set(instance(0))), h.proceed()...)...)
		return
	}
	h.add(TableFailed, 100, match(h.here.at()))
}

// arrive takes in what another host sends to an instance here, and finds out from which
// instance of the function before it comes. Of several here, connection tracking knows which
// one it is for: who sends it may know no more than the host.
func (h hopBuilder) arrive() {
	a := actions(set(function(h.id())), openflow.Move{Src: RegPosition, Dst: RegInstance, NBits: instanceBits}, set(RegZone.Uint(uint64(h.zone()))), clearInPort())
	if before, _ := h.before(); before != 0 {
		a = append(a, set(RegBefore.Uint(uint64(before))), openflow.Resubmit{Table: TableBefore})
	}
	h.goTo(TableArrival, 100, match(h.here.at()), TableLanding, a...)
	if !h.tap() {
		h.goTo(TableRecalled, 110, match(h.here.at(), notKnown(h.Slot)), TableReceive)
		h.goTo(TableRecalled, 100, match(h.here.at()), TableReceive, recall(h.Slot))
	}
}

// before is the function that packets of the direction pass before the hop, and its slot;
// 0 for none that gives packets back.
func (h hopBuilder) before() (id uint32, slot int) {
	return h.passed(h.k, h.back)
}

// passed is the last function that packets of one direction have come through where they
// arrive at a hop, and its slot. A tap is none: it only gets copies.
func (c *Chain) passed(hop int, back bool) (id uint32, slot int) {
	step := -1
	if back {
		step = 1
	}
	for k := hop + step; k >= 1 && k <= len(c.Hops); k += step {
		if f := c.Hops[k-1].Function; f.Spec.Type != topology.FunctionTap {
			return f.Allocated.ID, c.Hops[k-1].Slot
		}
	}
	return 0, 0
}

// accept notes what the connection uses, now that the packet is where its instance is,
// and gives it the chain's tag.
func (h hopBuilder) accept(number int) {
	at := match(h.here.at(), instance(number))
	if h.tap() {
		h.goTo(TableAccept, 100, at, TableDeliver)
		return
	}
	var tag []openflow.Action
	if h.VLAN != 0 {
		tag = actions(openflow.PushVLAN{}, set(openflow.VLANVID.Uint(tagged|uint64(h.VLAN))))
	}
	came := set(RegArm.Uint(h.generation()))
	own := h.note(remember(h.Slot, RegInstance), rememberGeneration)
	before, slot := h.before()
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		m := with(at, ethType(eth))
		h.goTo(TableAccept, 100, m, TableDeliver, append(actions(came, own), tag...)...)
		if before != 0 {
			both := h.note(remember(h.Slot, RegInstance), rememberGeneration, remember(slot, RegBefore))
			h.goTo(TableAccept, 110, with(m, flagged(FlagBefore)), TableDeliver, append(actions(came, both), tag...)...)
		}
	}
}
