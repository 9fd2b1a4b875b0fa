package pipeline

import "github.com/dovetail-sdn/dovetail/openflow"

// Steer has packets begin their way through a chain.
func Steer(c *Chain) []openflow.Flow {
	b := chainBuilder{Chain: c}
	scope := match(RegRouter.Uint(uint64(c.Router)))
	for _, back := range []bool{false, true} {
		start := c.first(back)
		if c.Ambiguous && !back {
			// Connection tracking says whether it is an answer.
			b.classify(c.classifier(back), c.conjunction(0, back), TableSteer, c.priority(back), scope, 0, start.enter(),
				openflow.CT{Zone: c.zone(), Table: TableDirection})
			b.goTo(TableDirection, 100, match(start.at(), answer), TableBegin, c.first(true).enter())
			b.goTo(TableDirection, 50, match(start.at()), TableBegin)
			continue
		}
		b.classify(c.classifier(back), c.conjunction(0, back), TableSteer, c.priority(back), scope, TableBegin, start.enter())
	}
	if c.rewrites() {
		b.maybeAnswers(scope)
	}
	return b.flows
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
