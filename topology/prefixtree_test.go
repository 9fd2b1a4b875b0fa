package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shape is all of a tree, as text.
func (n *prefixNode[H]) shape(b *strings.Builder) {
	if n == nil {
		return
	}
	holders := make([]string, len(n.holders))
	for i, h := range n.holders {
		holders[i] = fmt.Sprint(h)
	}
	slices.Sort(holders)
	fmt.Fprintln(b, n.prefix, holders)
	n.child[0].shape(b)
	n.child[1].shape(b)
}

func (t *prefixTree[H]) shape() string {
	var b strings.Builder
	t.v4.shape(&b)
	t.v6.shape(&b)
	return b.String()
}

// After random additions and removals, a tree finds what a comparison with all does,
// and has the shape of one that was built at once.
func TestPrefixTreeFindsWhatOverlaps(t *testing.T) {
	type held struct {
		p netip.Prefix
		h int
	}
	draw := rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := netip.AddrFrom4([4]byte{10, 0, rapid.ByteMax(3).Draw(t, "a"), rapid.Byte().Draw(t, "b")})
		from := 0
		if rapid.Bool().Draw(t, "IPv6") {
			// Bits on both sides of the middle of the address.
			b := [16]byte{0xfd, 7: rapid.ByteMax(3).Draw(t, "c"), 8: rapid.Byte().Draw(t, "d"), 15: 1}
			a, from = netip.AddrFrom16(b), 56
		}
		return netip.PrefixFrom(a, rapid.SampledFrom([]int{0, from + 20, from + 22, from + 24, from + 29, a.BitLen()}).Draw(t, "bits")%(a.BitLen()+1)).Masked()
	})
	rapid.Check(t, func(t *rapid.T) {
		var tree prefixTree[int]
		var all []held
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				tree.remove(all[i].p, all[i].h)
				all = slices.Delete(all, i, i+1)
			} else {
				one := held{draw.Draw(t, "prefix"), rapid.IntRange(0, 3).Draw(t, "holder")}
				tree.add(one.p, one.h)
				all = append(all, one)
			}
			// What is not there cannot be removed.
			tree.remove(draw.Draw(t, "none"), 9)
		}
		var rebuilt prefixTree[int]
		for _, one := range all {
			rebuilt.add(one.p, one.h)
		}
		if a, b := tree.shape(), rebuilt.shape(); a != b {
			t.Fatalf("the tree is\n%s\nrebuilt, it is\n%s", a, b)
		}
		if tree.empty() != (len(all) == 0) {
			t.Fatalf("empty: %v, with %v", tree.empty(), all)
		}
		p := draw.Draw(t, "asked")
		var want, got []string
		for _, one := range all {
			if one.p.Overlaps(p) {
				want = append(want, fmt.Sprint(one))
			}
		}
		tree.overlapping(p, func(q netip.Prefix, h int) bool {
			got = append(got, fmt.Sprint(held{q, h}))
			return true
		})
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s overlaps %v, want %v", p, got, want)
		}
	})
}

// How many nodes are looked at does not depend on how many prefixes there are.
func TestPrefixTreeIsAsDeepAsPrefixesAreLong(t *testing.T) {
	var tree prefixTree[int]
	for i := range 1 << 16 {
		tree.add(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24), i)
	}
	for _, p := range []string{"10.7.9.0/24", "10.7.9.128/25", "10.0.0.0/8", "0.0.0.0/0"} {
		asked := 0
		tree.overlapping(netip.MustParsePrefix(p), func(netip.Prefix, int) bool { asked++; return false })
		if asked != 1 {
			t.Errorf("%s: %d found before the first that matters", p, asked)
		}
	}
	depth, deepest := 0, 0
	var walk func(n *prefixNode[int])
	walk = func(n *prefixNode[int]) {
		if n == nil {
			return
		}
		depth++
		deepest = max(deepest, depth)
		walk(n.child[0])
		walk(n.child[1])
		depth--
	}
	walk(tree.v4)
	if deepest > 33 {
		t.Errorf("%d levels", deepest)
	}
}
