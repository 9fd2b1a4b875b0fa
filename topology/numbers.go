package topology

import "math/bits"

// numbersBits is the width of the numbers that a numbers set can hold.
const numbersBits = 24

// numbers is a set of numbers below 2^24 that finds free ones fast: a tree of
// 64-bit words, where a bit of an upper level says that the whole word below it
// is full. Every operation touches at most four words (next: eight).
type numbers struct {
	levels [numbersBits / 6]map[uint32]uint64
}

func (n *numbers) has(i uint32) bool { return n.levels[0][i>>6]&(1<<(i&63)) != 0 }

func (n *numbers) add(i uint32) {
	for l := range n.levels {
		if n.levels[l] == nil {
			n.levels[l] = map[uint32]uint64{}
		}
		w := n.levels[l][i>>6] | 1<<(i&63)
		n.levels[l][i>>6] = w
		if w != ^uint64(0) {
			return
		}
		i >>= 6
	}
}

func (n *numbers) remove(i uint32) {
	for l := range n.levels {
		was := n.levels[l][i>>6]
		if now := was &^ (1 << (i & 63)); now != 0 {
			n.levels[l][i>>6] = now
		} else {
			delete(n.levels[l], i>>6)
		}
		if was != ^uint64(0) {
			return
		}
		i >>= 6
	}
}

// next returns the lowest number that is not in the set and at least from.
func (n *numbers) next(from uint32) (uint32, bool) {
	i := from
	for l := range n.levels {
		if uint64(i) >= 1<<(numbersBits-6*l) {
			return 0, false
		}
		below := uint64(1)<<(i&63) - 1
		if w := n.levels[l][i>>6] | below; w != ^uint64(0) {
			i = i&^63 | uint32(bits.TrailingZeros64(^w))
			for l > 0 {
				l--
				i = i<<6 | uint32(bits.TrailingZeros64(^n.levels[l][i]))
			}
			return i, true
		}
		i = i>>6 + 1
	}
	return 0, false
}
