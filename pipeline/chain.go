package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Chain is one generation of a chain, with what its flows depend on.
type Chain struct {
	Object *topology.Chain
	// Odd tells it from the generation before.
	Odd bool
	// Router is the id of its router.
	Router                uint32
	Sources, Destinations Side
	// Ambiguous: a packet from a source to a destination could as well be an answer.
	Ambiguous bool
	Hops      []Hop
}

// Hop is a service function in a chain.
type Hop struct {
	Function *topology.ServiceFunction
	// Slot is the function's in the memory of connections.
	Slot int
	// VLAN is the chain's tag at the function; 0 means none.
	VLAN int
	// Alone: no other chain uses the function, so that all that it gives back is this
	// chain's.
	Alone bool
	// Own are the addresses of the instances of a function that rewrites.
	Own []netip.Prefix
}

// Transit is the way of a chain on every host that sends to it or has instances of its
// functions: how packets get from each position to the next one.
func Transit(c *Chain) []openflow.Flow {
	b := chainBuilder{Chain: c}
	for k := 1; k <= len(c.Hops); k++ {
		for _, back := range []bool{false, true} {
			h := b.hop(k, back)
			h.next()
			h.failed()
			h.arrive()
		}
	}
	b.end(false)
	b.end(true)
	return b.flows
}

// Accept is a hop of a chain on a host that has instances of its function, given by their
// numbers: each has flows of its own, so that they are counted.
func Accept(c *Chain, hop int, numbers []int) []openflow.Flow {
	b := chainBuilder{Chain: c}
	for _, n := range numbers {
		for _, back := range []bool{false, true} {
			b.hop(hop, back).accept(n)
		}
	}
	return b.flows
}

type chainBuilder struct {
	builder
	*Chain
}

func (c *Chain) position(hop int, back bool) Position {
	if hop > len(c.Hops) {
		hop = 0
	}
	return Position{Chain: c.Object.Allocated.ID, Odd: c.Odd, Backward: back, Hop: hop}
}

// first is where packets of one direction begin.
func (c *Chain) first(back bool) Position {
	if back {
		return c.position(len(c.Hops), true)
	}
	return c.position(1, false)
}

// behind is the position behind a hop.
func (c *Chain) behind(hop int, back bool) Position {
	if back {
		return c.position(hop-1, true)
	}
	return c.position(hop+1, false)
}

// last is the function that packets of one direction come through last, and its slot.
func (c *Chain) last(back bool) (id uint32, slot int) {
	if back {
		return c.passed(0, true)
	}
	return c.passed(len(c.Hops)+1, false)
}

// hopOf is the hop at which the chain has a function, 0 for none.
func (c *Chain) hopOf(f *topology.ServiceFunction) int {
	for i, h := range c.Hops {
		if h.Function.Allocated.ID == f.Allocated.ID {
			return i + 1
		}
	}
	return 0
}

func (c *Chain) zone() uint16 { return uint16(c.Object.Allocated.Zone) }

// rewrites says whether headers may be others behind some function.
func (c *Chain) rewrites() bool {
	for _, h := range c.Hops {
		if h.Function.Spec.Type == topology.FunctionRewriting {
			return true
		}
	}
	return false
}

// remade says whether frames come out of the chain otherwise than they went in.
func (c *Chain) remade() bool {
	for _, h := range c.Hops {
		if t := h.Function.Spec.Type; t == topology.FunctionRouted || t == topology.FunctionRewriting {
			return true
		}
	}
	return false
}
