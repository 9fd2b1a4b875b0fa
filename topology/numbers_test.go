package topology

import (
	"testing"

	"pgregory.net/rapid"
)

// The set behaves like a plain one, numbers at the edges of words included.
func TestNumbersAgainstAPlainSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Uint32Range(0, 200), rapid.Uint32Range(4000, 4200), rapid.Uint32Range(1<<24-70, 1<<24-1))
		var n numbers
		plain := map[uint32]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			from, length := number.Draw(t, "from"), rapid.Uint32Range(1, 130).Draw(t, "length")
			add := rapid.IntRange(0, 2).Draw(t, "op") > 0
			for i := from; i < min(from+length, 1<<24); i++ {
				if add {
					n.add(i)
					plain[i] = true
				} else {
					n.remove(i)
					delete(plain, i)
				}
			}
			at := number.Draw(t, "at")
			want := at
			for plain[want] {
				want++
			}
			got, ok := n.next(at)
			if ok != (want < 1<<24) || ok && got != want {
				t.Fatalf("next(%d) is %d, %v; want %d", at, got, ok, want)
			}
			if n.has(at) != plain[at] {
				t.Fatalf("has(%d) is %v", at, n.has(at))
			}
		}
	})
}

func TestNumbersFull(t *testing.T) {
	var n numbers
	for i := range uint32(1 << 24) {
		n.add(i)
	}
	if i, ok := n.next(0); ok {
		t.Errorf("%d is free in a full set", i)
	}
	n.remove(12345)
	if i, ok := n.next(0); !ok || i != 12345 {
		t.Errorf("the one free number is %d, %v", i, ok)
	}
	if _, ok := n.next(12346); ok {
		t.Error("there is one above it")
	}
	n.add(12345)
	for i := range uint32(1 << 24) {
		n.remove(i)
	}
	for l := range n.levels {
		if len(n.levels[l]) > 0 {
			t.Errorf("an empty set holds %d words at level %d", len(n.levels[l]), l)
		}
	}
}
