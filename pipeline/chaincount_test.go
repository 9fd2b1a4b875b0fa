package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// asReported are flows as a switch reports them: without what the compiler knew.
func asReported(t *testing.T, flows []openflow.Flow) []openflow.Flow {
	t.Helper()
	entries, err := openflow.Seal("Chain acme/x", flows)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]openflow.Flow, len(entries))
	in := openflow.NewReader(strings.NewReader(joinAdds(entries)))
	for i := range entries {
		m, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		mod, err := openflow.DecodeFlowMod(m)
		if err != nil {
			t.Fatal(err)
		}
		if list[i], err = openflow.DecodeFlow(mod.ID, mod.Match, mod.Instructions); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func joinAdds(entries []openflow.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.Write(e.Add)
	}
	return b.String()
}

// countText is like "given forward 2 to 1".
func countText(c ChainCount) string {
	direction := "forward"
	if c.Position.Backward {
		direction = "backward"
	}
	event := [...]string{"entered", "given", "chosen", "failed"}[c.Event]
	text := fmt.Sprintf("%s %s %d", event, direction, c.Position.Hop)
	if c.Instance != 0 {
		text += fmt.Sprintf(" to %d", c.Instance)
	}
	return text
}

func TestFlowsOfAChainSayWhatTheyCount(t *testing.T) {
	lb := *fw
	lb.Spec.Type = topology.FunctionRewriting
	hops := func(f *topology.ServiceFunction) []Hop { return []Hop{{Function: f, Slot: 1, Alone: true}} }
	inside := Side{Prefixes: guarded.Sources.Prefixes[:1]}
	for _, tc := range []struct {
		name string
		c    *Chain
		// want is how many flows count the same.
		want map[string]int
	}{
		{"three functions", guarded, map[string]int{
			"entered forward 1": 2, "entered backward 3": 2, // the ports, and later fragments
			"given forward 1 to 1": 2, "given backward 1 to 1": 4, // both IP versions, and whether the instance before is known
			"given forward 2 to 1": 4, "given backward 2 to 1": 2,
			"given forward 3 to 1": 1, "given backward 3 to 1": 1, // of a tap
			"chosen forward 1 to 1": 2, "chosen backward 1 to 1": 2,
			"chosen forward 2 to 1": 2, "chosen backward 2 to 1": 2, "chosen forward 2 to 2": 2, "chosen backward 2 to 2": 2,
			"failed forward 1": 1, "failed forward 2": 1, "failed forward 3": 1,
			"failed backward 1": 1, "failed backward 2": 1, "failed backward 3": 1,
		}},
		{"sides that overlap", &Chain{Object: guarded.Object, Router: 1, Sources: inside, Destinations: Side{Any: true}, Ambiguous: true, Hops: hops(fw)}, map[string]int{
			// One forward behind connection tracking; backward that one, and those of the headers.
			"entered forward 1": 1, "entered backward 1": 3,
			"given forward 1 to 1": 2, "given backward 1 to 1": 2,
			"chosen forward 1 to 1": 2, "chosen backward 1 to 1": 2, "chosen forward 1 to 2": 2, "chosen backward 1 to 2": 2,
			"failed forward 1": 1, "failed backward 1": 1,
		}},
		{"a function that rewrites", &Chain{Object: guarded.Object, Router: 1, Sources: inside, Destinations: guarded.Destinations, Hops: hops(&lb)}, map[string]int{
			"entered forward 1": 2, "entered backward 1": 3, // what may be an answer is one only behind connection tracking
			"given forward 1 to 1": 2, "given backward 1 to 1": 2,
			"chosen forward 1 to 1": 2, "chosen backward 1 to 1": 2, "chosen forward 1 to 2": 2, "chosen backward 1 to 2": 2,
			"failed forward 1": 1, "failed backward 1": 1,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			flows := append(Steer(tc.c), Transit(tc.c)...)
			for k := range tc.c.Hops {
				flows = append(flows, Accept(tc.c, k+1, []int{1})...)
			}
			got := map[string]int{}
			for _, f := range asReported(t, flows) {
				if c, ok := ReadChainFlow(f); ok {
					if c.Position.Chain != tc.c.Object.Allocated.ID {
						t.Errorf("%v: chain %d", f, c.Position.Chain)
					}
					if !slices.Contains(CountingTables(), f.Table) {
						t.Errorf("%v counts, and its table is not among those", f)
					}
					got[countText(c)]++
				}
			}
			for _, text := range slices.Sorted(maps.Keys(got)) {
				if got[text] != tc.want[text] {
					t.Errorf("%s: %d flows, want %d", text, got[text], tc.want[text])
				}
			}
			for text, n := range tc.want {
				if got[text] == 0 {
					t.Errorf("%s: no flow, want %d", text, n)
				}
			}
		})
	}
}

// Copies on the same host pass the table that counts them, too.
func TestCopiesAreCountedWhereverTheTapIs(t *testing.T) {
	for self, want := range map[string]uint8{tapPlaced[0].Host: TableAccept, "h9": TableSend} {
		groups := FunctionGroups(tap, tapPlaced, self)
		a := groups[len(groups)-1].Buckets[0].Actions
		if last := a[len(a)-1]; last != (openflow.Resubmit{Table: want}) {
			t.Errorf("from %s copies go by %v, want table %d", self, last, want)
		}
	}
}

func TestPositionsAreReadAsWritten(t *testing.T) {
	for _, p := range []Position{{Chain: 1, Hop: 1}, {Chain: 4094, Odd: true, Backward: true, Hop: 7}, {Chain: 2048}} {
		for _, instance := range []uint64{0, 31} {
			if got, ok := positionOf(uint64(p.VNI()) | instance); !ok || got != p {
				t.Errorf("%+v is read as %+v, %v", p, got, ok)
			}
		}
	}
	if p, ok := positionOf(topology.MaxVNI); ok {
		t.Errorf("the VNI of a network is read as %+v", p)
	}
}
