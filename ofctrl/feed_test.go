package ofctrl

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sdn/dovetail/openflow"
)

func entry(cookie, sum uint64) openflow.Entry {
	return openflow.Entry{ID: openflow.ID{Cookie: cookie}, Sum: sum, Add: make([]byte, 56)}
}

func TestDifference(t *testing.T) {
	one, two, three := entry(1, 1), entry(2, 2), entry(3, 3)
	changed := entry(2, 9)
	for _, c := range []struct {
		name             string
		from, to         []openflow.Entry
		adds, mods, dels int
	}{
		{"nothing", nil, nil, 0, 0, 0},
		{"new", nil, []openflow.Entry{one, two}, 2, 0, 0},
		{"same", []openflow.Entry{one, two}, []openflow.Entry{two, one}, 0, 0, 0},
		{"gone", []openflow.Entry{one, two}, nil, 0, 0, 2},
		{"changed", []openflow.Entry{one, two}, []openflow.Entry{one, changed}, 0, 1, 0},
		{"all", []openflow.Entry{one, two}, []openflow.Entry{changed, three}, 1, 1, 1},
		{"twice", nil, []openflow.Entry{one, one}, 1, 0, 0},
	} {
		d := difference(c.from, c.to)
		if len(d.adds) != c.adds || len(d.mods) != c.mods || len(d.dels) != c.dels {
			t.Errorf("%s: %d added, %d modified, %d deleted, want %d, %d, %d",
				c.name, len(d.adds), len(d.mods), len(d.dels), c.adds, c.mods, c.dels)
		}
	}
}

func TestFeedSeq(t *testing.T) {
	f := NewFeed("f")
	e := []openflow.Entry{entry(1, 1)}
	for i, c := range []struct {
		entries []openflow.Entry
		want    uint64
	}{{nil, 0}, {e, 1}, {e, 1}, {nil, 2}, {nil, 2}} {
		if got := f.Set("o", c.entries); got != c.want || f.Seq() != c.want {
			t.Errorf("step %d: seq %d, want %d", i, got, c.want)
		}
	}
}

// TestFeedForgets: a follower that falls behind is cut off, and until then the
// log holds what it lacks, but no more than its bound.
func TestFeedForgets(t *testing.T) {
	f := NewFeed("f")
	slow, _ := follow(f, func(*subscription) {})
	quick, _ := follow(f, func(*subscription) {})
	big := make([]openflow.Entry, maxLogEntries/8)
	for i := range 20 {
		for j := range big {
			big[j] = entry(uint64(j), uint64(i))
		}
		f.Set("o", big)
		if changes, _, ok := quick.next(); !ok || len(changes) != 1 {
			t.Fatalf("step %d: the quick follower got %d changes, %v", i, len(changes), ok)
		}
		if f.log.entries > maxLogEntries {
			t.Fatalf("step %d: %d entries in the log", i, f.log.entries)
		}
	}
	if _, _, ok := slow.next(); ok {
		t.Error("the slow follower was not cut off")
	}
	all, pos := slow.restart()
	if len(all) != 1 || len(all[0].entries) != len(big) || pos != f.Seq() {
		t.Errorf("restarted with %d owners at %d", len(all), pos)
	}
	slow.leave()
	quick.leave()
	if len(f.log.changes) > 0 {
		t.Error("a log that nobody reads is kept")
	}
}

// TestFollowersSeeTheSame: whenever a follower looks, and from wherever it
// started, its copy is the feed.
func TestFollowersSeeTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := NewFeed("f")
		type follower struct {
			sub  *subscription
			have map[openflow.ID]uint64
		}
		var followers []follower
		for range rapid.IntRange(1, 600).Draw(rt, "steps") {
			switch rapid.IntRange(0, 20).Draw(rt, "what") {
			case 0:
				sub, all := follow(f, func(*subscription) {})
				have := map[openflow.ID]uint64{}
				for _, h := range all {
					for _, e := range h.entries {
						have[e.ID] = e.Sum
					}
				}
				followers = append(followers, follower{sub, have})
			case 1, 2:
				if len(followers) == 0 {
					continue
				}
				w := rapid.SampledFrom(followers).Draw(rt, "follower")
				changes, pos, ok := w.sub.next()
				if !ok || pos != f.Seq() {
					rt.Fatalf("next: pos %d of %d, %v", pos, f.Seq(), ok)
				}
				m := merger{}
				for i := range changes {
					m.change(f, &changes[i])
				}
				for _, o := range m.result() {
					_, exists := w.have[o.id]
					if exists == (o.kind == opAdd) {
						rt.Fatalf("op %d of an ID, which exists: %v", o.kind, exists)
					}
					if o.kind == opDelete {
						delete(w.have, o.id)
					} else {
						w.have[o.id] = o.sum
					}
				}
				want := map[openflow.ID]uint64{}
				for _, e := range f.Entries() {
					want[e.ID] = e.Sum
				}
				if fmt.Sprint(want) != fmt.Sprint(w.have) {
					rt.Fatalf("a follower has %v, the feed %v", w.have, want)
				}
			default:
				owner := rapid.Uint64Range(0, 3).Draw(rt, "owner")
				var entries []openflow.Entry
				for i, sum := range rapid.SliceOfN(rapid.Uint64Range(0, 2), 0, 3).Draw(rt, "sums") {
					if sum > 0 {
						entries = append(entries, entry(owner*10+uint64(i), sum))
					}
				}
				f.Set(fmt.Sprint(owner), entries)
			}
		}
	})
}

func TestOrder(t *testing.T) {
	flow := func(kind opKind, table uint8, cookie uint64) op {
		return op{kind: kind, id: openflow.ID{Kind: openflow.EntryFlow, Table: table, Cookie: cookie}}
	}
	ops := []op{
		{kind: opDelete, id: openflow.ID{Kind: openflow.EntryMeter, Cookie: 9}},
		flow(opDelete, 9, 7),
		flow(opDelete, 0, 6),
		flow(opAdd, 0, 4),
		{kind: opModify, id: openflow.ID{Kind: openflow.EntryGroup, Cookie: 1}},
		{kind: opDelete, id: openflow.ID{Kind: openflow.EntryGroup, Cookie: 8}},
		flow(opAdd, 9, 2),
		flow(opModify, 0, 5),
		flow(opAdd, 9, 3),
		{kind: opAdd, id: openflow.ID{Kind: openflow.EntryMeter, Cookie: 0}},
	}
	var got []uint64
	for _, o := range inOrder(ops) {
		got = append(got, o.id.Cookie)
	}
	if want := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// TestAnEntryMovesBetweenOwners: within a batch it is never lost.
func TestAnEntryMovesBetweenOwners(t *testing.T) {
	e := entry(1, 1)
	gone := change{owner: "a", dels: []openflow.ID{e.ID}}
	come := change{owner: "b", adds: []openflow.Entry{e}}
	f, g := NewFeed("f"), NewFeed("g")
	for _, order := range [][2]*change{{&gone, &come}, {&come, &gone}} {
		for _, feeds := range [][2]*Feed{{f, f}, {f, g}} {
			m := merger{}
			m.change(feeds[0], order[0])
			m.change(feeds[1], order[1])
			if ops := m.result(); len(ops) != 1 || ops[0].kind == opDelete {
				t.Errorf("%+v", ops)
			}
		}
	}
}
