package controller

import (
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// Every kind has its place among the events of a batch: before what refers to it, and
// bindings come last.
func TestEveryKindHasItsRank(t *testing.T) {
	last := rank(store.Event{BindingAfter: &topology.Binding{}})
	seen := map[int]topology.Kind{}
	for _, k := range topology.Kinds() {
		put, removed := rank(store.Event{After: topology.New(k)}), rank(store.Event{Before: topology.New(k)})
		if other, twice := seen[put]; twice || put < 0 || put >= last || removed != -1-put {
			t.Errorf("%s has the ranks %d and %d, %s the first too", k, put, removed, other)
		}
		seen[put] = k
	}
}
