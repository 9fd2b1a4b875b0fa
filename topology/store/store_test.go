package store

import (
	"errors"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/google/go-cmp/cmp"
)

func TestApplyThenRead(t *testing.T) {
	s := newStore(t)
	e := endpoint("acme", "web1", "blue")
	got := apply(t, s, puts(e, network("acme", "blue", "10.0.0.0/24", "fd00::/64"), tenant("acme")))
	web1 := got[0].(*topology.Endpoint)
	if len(web1.Allocated.Addresses) != 2 || web1.Allocated.Addresses[0].String() != "10.0.0.2" || web1.Allocated.InterfaceID != "acme/web1" {
		t.Errorf("allocated %+v", web1.Allocated)
	}
	read, err := s.Get(e.Key())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(web1, read, cmpOptions...); diff != "" {
		t.Errorf("what Apply returned and what Get reads differ:\n%s", diff)
	}
	before := s.Revision()
	again := apply(t, s, puts(e))
	if s.Revision() != before || again[0].Meta().Revision != web1.Metadata.Revision {
		t.Error("an unchanged put was written")
	}
	_, err = s.Apply(t.Context(), deletes(topology.Key{Kind: topology.KindNetwork, Tenant: "acme", Name: "blue"}))
	var ref *topology.ReferencedError
	if !errors.As(err, &ref) {
		t.Errorf("deleting a network with an endpoint: %v", err)
	}
}

// What changes hands within one commit has its new holder afterwards, whichever of
// the two is written first.
func TestWhatChangedHandsIsTaken(t *testing.T) {
	s := newStore(t)
	apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/24"), network("acme", "red", "10.1.0.0/24"),
		endpoint("acme", "old", "blue", "10.0.0.10"), router("acme", "old", "blue", "red")))
	apply(t, s, puts(endpoint("acme", "new", "blue", "10.0.0.10"), endpoint("acme", "old", "blue", "10.0.0.11"),
		router("acme", "new", "red"), router("acme", "old", "blue")))
	for _, o := range []topology.Object{endpoint("acme", "x", "blue", "10.0.0.10"), router("acme", "x", "red")} {
		_, err := s.Apply(t.Context(), puts(o))
		var taken *topology.ConflictError
		if !errors.As(err, &taken) || taken.Holder.Name != "new" {
			t.Errorf("%s: %v", o.Key(), err)
		}
	}
}

func TestPlanChangesNothing(t *testing.T) {
	s := newStore(t)
	apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/24")))
	before := s.Revision()
	e := endpoint("acme", "web1", "blue")
	planned, err := s.Plan(t.Context(), puts(e, network("acme", "blue", "10.0.0.0/24")))
	if err != nil {
		t.Fatal(err)
	}
	if got := planned[0].(*topology.Endpoint); got.Allocated.Addresses[0].String() != "10.0.0.2" || got.Metadata.Revision != 0 || planned[1].Meta().Revision == 0 {
		t.Errorf("planned %+v and revision %d", got, planned[1].Meta().Revision)
	}
	if _, err := s.Get(e.Key()); err == nil || s.Revision() != before {
		t.Error("a plan was carried out")
	}
	var inv *topology.InvalidError
	if _, err := s.Plan(t.Context(), puts(endpoint("acme", "x", "nowhere"))); !errors.As(err, &inv) {
		t.Errorf("an invalid plan: %v", err)
	}
	applied := apply(t, s, puts(e))[0].(*topology.Endpoint)
	if diff := cmp.Diff(planned[0].(*topology.Endpoint).Allocated, applied.Allocated, cmpOptions...); diff != "" {
		t.Errorf("planned and applied differ:\n%s", diff)
	}
}
