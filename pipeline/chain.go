package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Chain is a chain with what its flows depend on.
type Chain struct {
	Object *topology.Chain
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
	// VLAN is the chain's tag at the function; 0 means none.
	VLAN int
	// Alone: no other chain uses the function, so that all that it gives back is this
	// chain's.
	Alone bool
	// Own are the addresses of the instances of a function that rewrites.
	Own []netip.Prefix
}

// Steer is a chain as every host sees it that sends to it or has instances of its
// functions.
func Steer(c *Chain) []openflow.Flow {
	b := chainBuilder{Chain: c}
	b.steer()
	for k := 1; k <= len(c.Hops); k++ {
		for _, back := range []bool{false, true} {
			h := b.hop(k, back)
			h.next()
			h.failed()
			h.arrive()
			if b.rewrites() || !h.tap() {
				h.emit()
			}
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
	return Position{Chain: c.Object.Allocated.ID, Backward: back, Hop: hop}
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

// lastHop is the function that packets of one direction pass last.
func (c *Chain) lastHop(back bool) int {
	if back {
		return 1
	}
	return len(c.Hops)
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

func (c *Chain) classifier(back bool) classifier {
	s := c.Object.Spec
	if back {
		return classifier{c.Destinations, c.Sources, s.Protocol, s.Ports, true}
	}
	return classifier{c.Sources, c.Destinations, s.Protocol, s.Ports, false}
}

// Priorities of a chain, in order: what goes forward, what goes back, what may go back.
func (c *Chain) priority(back bool) uint16 {
	p := uint16(10 + 3*c.Object.Allocated.Priority)
	if back {
		return p + 1
	}
	return p + 2
}

// conjunction tells the chain's conjunctions of one table apart.
func (c *Chain) conjunction(hop int, back bool) uint32 { return c.position(hop, back).VNI() }

// steer has packets begin their way.
func (b *chainBuilder) steer() {
	scope := match(RegRouter.Uint(uint64(b.Router)))
	for _, back := range []bool{false, true} {
		start := b.first(back)
		if b.Ambiguous && !back {
			// Connection tracking says whether it is an answer.
			b.classify(b.classifier(back), b.conjunction(0, back), TableSteer, b.priority(back), scope, 0, start.enter(),
				openflow.CT{Zone: b.zone(), Table: TableDirection})
			b.goTo(TableDirection, 100, match(start.at(), answer), TableBegin, b.first(true).enter())
			b.goTo(TableDirection, 50, match(start.at()), TableBegin)
			continue
		}
		b.classify(b.classifier(back), b.conjunction(0, back), TableSteer, b.priority(back), scope, TableBegin, start.enter())
	}
	if b.rewrites() {
		b.maybeAnswers(scope)
	}
}

// answer are packets that answer a connection which connection tracking knows.
var answer = ctState(ctTracked|ctReply, ctTracked|ctReply)

// maybeAnswers looks up what goes to where a packet of the chain may have come from,
// behind a function that rewrites: its headers are not those of the chain.
func (b *chainBuilder) maybeAnswers(scope openflow.Match) {
	to := b.Sources
	if !to.Any {
		to.Prefixes = to.Prefixes[:len(to.Prefixes):len(to.Prefixes)]
		for _, h := range b.Hops {
			to.Prefixes = append(to.Prefixes, h.Own...)
		}
	}
	start := b.first(true)
	b.classify(classifier{from: Side{Any: true}, to: to, protocol: b.Object.Spec.Protocol}, b.conjunction(1, false), TableSteer, b.priority(true)-1, scope, 0,
		start.enter(), openflow.CT{Zone: b.zone(), Table: TableDirection})
	b.goTo(TableDirection, 100, match(start.at(), answer), TableBegin)
	b.goTo(TableDirection, 50, match(start.at()), TableUnsteered, forget())
}

// forget takes the packet out of its chain.
func forget() openflow.Action { return openflow.Load{Dst: RegPosition, NBits: 24} }
