package controller

import (
	"slices"
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

var (
	blueNet = aNetwork("acme", "blue", 100)
	ep1     = anEndpoint(blueNet, 1)
	ep2     = anEndpoint(blueNet, 2)
)

func hostOf(w *world, e *topology.Endpoint) string {
	if b := w.Status(e.Key()).Binding; b != nil {
		return b.Host
	}
	return ""
}

func TestTheNewestClaimWins(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1), aHost(2), blueNet, ep1)
	w.ports("h1")
	w.ports("h2")
	w.ports("h1", "acme/blue-1")
	w.ports("h2", "acme/blue-1") // a live migration: both have it for a while
	if got := hostOf(w, ep1); got != "h2" {
		t.Errorf("bound to %q, want h2, the newer claim", got)
	}
	w.ports("h1")
	if got := hostOf(w, ep1); got != "h2" {
		t.Errorf("bound to %q after the old port went, want h2", got)
	}
}

func TestAFailedMigrationGoesBack(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1), aHost(2), blueNet, ep1)
	w.ports("h1")
	w.ports("h2")
	w.ports("h1", "acme/blue-1")
	w.ports("h2", "acme/blue-1")
	w.ports("h2")
	if got := hostOf(w, ep1); got != "h1" {
		t.Errorf("bound to %q, want h1, which still has the port", got)
	}
}

// restarted is a world that finds a binding of ep1 to h1 in the store.
func restarted(t *testing.T) *world {
	w := newWorld(t)
	w.put(aHost(1), aHost(2), blueNet, ep1)
	w.load(store.Event{BindingAfter: &topology.Binding{Endpoint: ep1.Key(), Host: "h1", Port: "p-acme/blue-1", OFPort: ofportOf("acme/blue-1")}})
	return w
}

func TestStoredBindingsHoldUntilTheHostSpeaks(t *testing.T) {
	w := restarted(t)
	if got := hostOf(w, ep1); got != "h1" {
		t.Fatalf("bound to %q, want h1, from the store", got)
	}
	before := w.contents("h1")
	w.ports("h2", "acme/blue-1") // old news of h2, told first
	if got := hostOf(w, ep1); got != "h1" {
		t.Errorf("bound to %q before h1 has spoken, want h1", got)
	}
	w.ports("h1", "acme/blue-1")
	if got := hostOf(w, ep1); got != "h1" {
		t.Errorf("bound to %q, want h1", got)
	}
	if after := w.contents("h1"); !slices.Equal(before, after) {
		t.Errorf("the plan changed from %v to %v although nothing happened", before, after)
	}
}

func TestAnEndpointThatMovedWhileWeWereAway(t *testing.T) {
	w := restarted(t)
	w.ports("h1")
	w.ports("h2", "acme/blue-1")
	if got := hostOf(w, ep1); got != "h2" {
		t.Errorf("bound to %q, want h2", got)
	}
}

func TestAHostThatIsAwayKeepsItsBindings(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1), blueNet, ep1)
	w.ports("h1", "acme/blue-1")
	w.HostGone("h1", nil)
	w.turn()
	if got := hostOf(w, ep1); got != "h1" {
		t.Errorf("bound to %q after its host went away, want h1", got)
	}
}

// A switch that restarts reports its ports without numbers for a moment.
func TestAPortThatIsBeingRebuiltKeepsItsFlows(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1), blueNet, ep1)
	w.ports("h1", "acme/blue-1")
	before := w.contents("h1")
	w.HostPorts("h1", []ovsdb.Port{{Name: "p-acme/blue-1", InterfaceID: "acme/blue-1"}})
	w.turn()
	if after := w.contents("h1"); !slices.Equal(before, after) {
		t.Errorf("the plan changed from %v to %v", before, after)
	}
}

func TestWhyAnEndpointIsPending(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1), blueNet, ep1)
	if s := w.Status(ep1.Key()); s.Phase != topology.PhasePending || !strings.Contains(s.Reason, "iface-id=acme/blue-1") {
		t.Errorf("unbound: %+v", s)
	}
	w.ports("h1", "acme/blue-1")
	if s := w.Status(ep1.Key()); s.Phase != topology.PhasePending {
		t.Errorf("before the switch connects: %+v", s)
	}
	w.ackAll()
	if s := w.Status(ep1.Key()); s.Phase != topology.PhaseRealized || len(s.Hosts) != 1 || !s.Hosts[0].Acknowledged {
		t.Errorf("acknowledged: %+v", s)
	}
	w.put(ep2)
	w.ports("h1", "acme/blue-1", "acme/blue-2")
	if s := w.Status(ep2.Key()); s.Phase != topology.PhasePending {
		t.Errorf("second endpoint before its acknowledgement: %+v", s)
	}
	w.ackAll()
	if s := w.Status(ep2.Key()); s.Phase != topology.PhaseRealized {
		t.Errorf("second endpoint: %+v", s)
	}
}

func TestWhoseCookie(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1), blueNet, ep1)
	for source, want := range map[string]string{pipeline.BaseSource: "Pipeline base", ep1.Key().String(): "Endpoint acme/blue-1", "nobody": "[]"} {
		got := w.ResolveCookie(uint64(openflow.SourceID(source)) << 32)
		if len(got) == 1 && got[0].String() != want || len(got) == 0 && want != "[]" || len(got) > 1 {
			t.Errorf("%s: %v, want %s", source, got, want)
		}
	}
}
