package ofctrl

import "github.com/dovetail-sdn/dovetail/openflow"

// merger adds up changes into what has to be done, at most one op for an ID.
type merger struct {
	ops   []op
	index map[openflow.ID]int
	// existed says for each op whether the switch had the ID before.
	existed []bool
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
	if m.index == nil {
		n := 0
		for _, h := range holdings {
			n += len(h.entries)
		}
		m.index = make(map[openflow.ID]int, n)
		m.ops = make([]op, 0, n)
	}
	for _, h := range holdings {
		for i := range h.entries {
			m.put(addOp(opAdd, feed, h.owner, &h.entries[i]))
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
		m.index = make(map[openflow.ID]int)
	}
	i, ok := m.index[o.id]
	if !ok {
		m.index[o.id] = len(m.ops)
		m.ops = append(m.ops, o)
		m.existed = append(m.existed, o.kind != opAdd)
		return
	}
	was := &m.ops[i]
	if o.kind == opDelete && was.kind != opDelete && (o.feed != was.feed || o.owner != was.owner) {
		return // another owner has it now
	}
	*was = o
}

// result is what has to be done, in order.
func (m *merger) result() []op {
	ops := m.ops[:0]
	for i, o := range m.ops {
		switch {
		case o.kind == opDelete && !m.existed[i]:
			continue // came and went
		case o.kind != opDelete && m.existed[i]:
			o.kind = opModify
		case o.kind != opDelete:
			o.kind = opAdd
		}
		ops = append(ops, o)
	}
	return inOrder(ops)
}
