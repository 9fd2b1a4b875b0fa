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

// Chains come and go without a trace, and are pending.
func TestChainsArePending(t *testing.T) {
	w := newWorld(t)
	fw := &topology.ServiceFunction{Metadata: topology.Metadata{Name: "fw", Tenant: "acme"}}
	chain := &topology.Chain{Metadata: topology.Metadata{Name: "c", Tenant: "acme"}}
	w.turn(store.Event{After: chain}, store.Event{After: fw})
	for _, key := range []topology.Key{fw.Key(), chain.Key()} {
		if st := w.Status(key); st.Phase != topology.PhasePending || st.Reason == "" {
			t.Errorf("%s: %+v", key, st)
		}
	}
	w.turn(store.Event{Before: fw, After: fw}, store.Event{Before: chain})
}
