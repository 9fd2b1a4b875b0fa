package topology

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// prefixTree holds prefixes with their holders, and finds those that overlap a
// prefix in the time that its length takes, however many there are. The zero value
// is empty. A prefix can have several holders, and a holder can have it more than
// once; what is added n times is to be removed n times.
type prefixTree[H comparable] struct{ v4, v6 *prefixNode[H] }

// prefixNode is a prefix that somebody holds, or one that only joins two others.
type prefixNode[H comparable] struct {
	prefix  netip.Prefix
	holders []H
	child   [2]*prefixNode[H] // longer prefixes, by their next bit
}

func (t *prefixTree[H]) root(p netip.Prefix) **prefixNode[H] {
	if p.Addr().Is4() {
		return &t.v4
	}
	return &t.v6
}

func (t *prefixTree[H]) add(p netip.Prefix, h H) {
	root := t.root(p)
	*root = (*root).add(p, h)
}

func (t *prefixTree[H]) remove(p netip.Prefix, h H) {
	root := t.root(p)
	*root = (*root).remove(p, h)
}

func (t *prefixTree[H]) empty() bool { return t.v4 == nil && t.v6 == nil }

// overlapping calls do with what overlaps the prefix, the shortest first, until it
// returns false.
func (t *prefixTree[H]) overlapping(p netip.Prefix, do func(netip.Prefix, H) bool) {
	(*t.root(p)).overlapping(p, do)
}

func (n *prefixNode[H]) add(p netip.Prefix, h H) *prefixNode[H] {
	if n == nil {
		return &prefixNode[H]{prefix: p, holders: []H{h}}
	}
	c := commonBits(n.prefix, p)
	switch {
	case c < n.prefix.Bits():
		up := &prefixNode[H]{prefix: netip.PrefixFrom(p.Addr(), c).Masked()}
		up.child[bitAt(n.prefix.Addr(), c)] = n
		return up.add(p, h)
	case c == p.Bits():
		n.holders = append(n.holders, h)
	default:
		next := &n.child[bitAt(p.Addr(), c)]
		*next = (*next).add(p, h)
	}
	return n
}

func (n *prefixNode[H]) remove(p netip.Prefix, h H) *prefixNode[H] {
	if n == nil || commonBits(n.prefix, p) < n.prefix.Bits() {
		return n
	}
	if p.Bits() > n.prefix.Bits() {
		next := &n.child[bitAt(p.Addr(), n.prefix.Bits())]
		*next = (*next).remove(p, h)
	} else if i := slices.Index(n.holders, h); i >= 0 {
		n.holders = slices.Delete(n.holders, i, i+1)
	}
	switch {
	case len(n.holders) > 0:
		return n
	case n.child[0] == nil:
		return n.child[1]
	case n.child[1] == nil:
		return n.child[0]
	}
	return n
}

func (n *prefixNode[H]) overlapping(p netip.Prefix, do func(netip.Prefix, H) bool) bool {
	if n == nil || !n.prefix.Overlaps(p) {
		return true
	}
	for _, h := range n.holders {
		if !do(n.prefix, h) {
			return false
		}
	}
	return n.child[0].overlapping(p, do) && n.child[1].overlapping(p, do)
}

// commonBits is how many bits two prefixes of one IP version begin alike with.
func commonBits(a, b netip.Prefix) int {
	x, y := a.Addr().As16(), b.Addr().As16()
	n := bits.LeadingZeros64(binary.BigEndian.Uint64(x[:8]) ^ binary.BigEndian.Uint64(y[:8]))
	if n == 64 {
		n += bits.LeadingZeros64(binary.BigEndian.Uint64(x[8:]) ^ binary.BigEndian.Uint64(y[8:]))
	}
	return min(n-128+a.Addr().BitLen(), a.Bits(), b.Bits())
}

// bitAt is bit n of an address, counted from its first.
func bitAt(a netip.Addr, n int) int {
	b := a.As16()
	n += 128 - a.BitLen()
	return int(b[n/8] >> (7 - n%8) & 1)
}
