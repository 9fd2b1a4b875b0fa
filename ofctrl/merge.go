package ofctrl

import (
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// merger adds up changes into what has to be done, at most one op for an ID.
type merger struct {
	ops []op
	// index is made when more than one feed's whole holdings are merged.
	index map[openflow.ID]int
	// existed are the IDs that the switch had before.
	existed map[openflow.ID]struct{}
}

func (m *merger) change(feed *Feed, c *change) {
	for i := range c.adds {
		m.put(addOp(opAdd, feed, c.owner, &c.adds[i]))
	}
	for i := range c.mods {
		m.put(addOp(opModify, feed, c.owner, &c.mods[i]))
	}
	for _, id := range c.dels {
		m.put(op{kind: opDelete, id: id, feed: feed, owner: c.owner})
	}
}

// all adds what a feed holds.
func (m *merger) all(feed *Feed, holdings []holding) {
	n := 0
	for _, h := range holdings {
		n += len(h.entries)
	}
	first := len(m.ops) == 0
	m.ops = slices.Grow(m.ops, n)
	for _, h := range holdings {
		for i := range h.entries {
			o := addOp(opAdd, feed, h.owner, &h.entries[i])
			if first {
				m.ops = append(m.ops, o) // nothing to merge it with: they differ
			} else {
				m.put(o)
			}
		}
	}
}

// gone removes what a feed had.
func (m *merger) gone(feed *Feed, ids map[openflow.ID]struct{}) {
	for id := range ids {
		m.put(op{kind: opDelete, id: id, feed: feed})
	}
}

func (m *merger) put(o op) {
	if m.index == nil {
		m.index = make(map[openflow.ID]int, len(m.ops))
		for i := range m.ops {
			m.index[m.ops[i].id] = i
		}
	}
	i, ok := m.index[o.id]
	if !ok {
		m.index[o.id] = len(m.ops)
		m.ops = append(m.ops, o)
		if o.kind != opAdd {
			m.exists(o.id)
		}
		return
	}
	was := &m.ops[i]
	if o.kind == opDelete && was.kind != opDelete && (o.feed != was.feed || o.owner != was.owner) {
		return // another owner has it now
	}
	*was = o
}

func (m *merger) exists(id openflow.ID) {
	if m.existed == nil {
		m.existed = make(map[openflow.ID]struct{})
	}
	m.existed[id] = struct{}{}
}

// result is what has to be done, in order.
func (m *merger) result() []op {
	ops := m.ops[:0]
	for _, o := range m.ops {
		existed := hasID(m.existed, o.id)
		switch {
		case o.kind == opDelete && !existed:
			continue // came and went
		case o.kind != opDelete && existed:
			o.kind = opModify
		case o.kind != opDelete:
			o.kind = opAdd
		}
		ops = append(ops, o)
	}
	return inOrder(ops)
}
