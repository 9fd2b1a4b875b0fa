package controller

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What a host said, or was, must not outlive it. Each test has endpoint 1 on h1 and
// endpoint 2 on h2, in one network.
func twoHosts(t *testing.T) (w *world, e1, e2 *topology.Endpoint) {
	w = newWorld(t)
	n := aNetwork("acme", "blue", 5)
	w.put(aHost(1), aHost(2), &topology.Tenant{Metadata: topology.Metadata{Name: "acme"}}, n)
	e1, e2 = anEndpoint(n, 1), anEndpoint(n, 2)
	w.put(e1, e2)
	w.ports("h1", e1.Allocated.InterfaceID)
	w.ports("h2", e2.Allocated.InterfaceID)
	w.ackAll()
	return w, e1, e2
}

func (w *world) mustBe(key topology.Key, phase topology.Phase) {
	w.t.Helper()
	if st := w.Status(key); st.Phase != phase {
		w.t.Errorf("%s is %s (%s), want %s", key, st.Phase, st.Reason, phase)
	}
}

func refuse(w *world, e *topology.Endpoint) {
	f := w.model.networks[e.NetworkKey()].feed
	w.Refused(2, f.Feed, e.Key().String(), errors.New("table full"))
	w.turn()
	w.mustBe(e.Key(), topology.PhaseFailed)
}

func TestRefusalEndsWhenTheHostHasNoPartAnyMore(t *testing.T) {
	w, e1, _ := twoHosts(t)
	refuse(w, e1)
	w.ports("h2") // its endpoint is gone, so that it does not follow the network
	w.ackAll()
	w.turn() // once the removal is acknowledged
	w.mustBe(e1.Key(), topology.PhaseRealized)
}

func TestRefusalEndsWithTheSession(t *testing.T) {
	w, e1, _ := twoHosts(t)
	refuse(w, e1)
	w.Disconnected(2, errors.New("upgraded"))
	w.sw.acked[2] = nil
	w.turn()
	w.Connected(2, &net.TCPAddr{})
	w.ackAll()
	w.mustBe(e1.Key(), topology.PhaseRealized)
	refuse(w, e1) // and what it refuses again counts
}

// The loop may be late: a host is away from some time on, not just then.
func TestAwayIsNoticedLate(t *testing.T) {
	w, e1, _ := twoHosts(t)
	w.Disconnected(2, errors.New("gone"))
	w.sw.acked[2] = nil
	w.turn()
	changed := *e1
	changed.Allocated.MAC = topology.MAC{2, 9, 9, 9, 9, 9}
	w.put(&changed)
	w.ack(1)
	w.turn()
	w.mustBe(e1.Key(), topology.PhasePending)
	w.clock = w.clock.Add(awayAfter + time.Hour)
	w.keepHouse()
	w.turn()
	w.mustBe(e1.Key(), topology.PhaseRealized)
}

func TestProblemEndsWithItsSession(t *testing.T) {
	w, _, _ := twoHosts(t)
	h1 := topology.Key{Kind: topology.KindHost, Name: "h1"}
	w.HostProblem("h1", "no VTEP address")
	w.turn()
	w.mustBe(h1, topology.PhaseFailed)
	w.HostGone("h1", errors.New("rebooted"))
	w.turn()
	if p := w.model.hosts["h1"].problem; p != "" {
		t.Errorf("the problem is still %q", p)
	}
}

func TestInterfaceIDIsHandedOver(t *testing.T) {
	w, e1, e2 := twoHosts(t)
	taker, giver := *e1, *e2
	taker.Allocated.InterfaceID, giver.Allocated.InterfaceID = e2.Allocated.InterfaceID, "other"
	w.put(&taker, &giver)
	w.ports("h1")
	w.ackAll()
	if b := w.model.endpoints[e1.Key()].binding; b == nil || b.Host != "h2" {
		t.Fatalf("bound to %+v", b)
	}
	w.ports("h2")
	if b := w.model.endpoints[e1.Key()].binding; b != nil {
		t.Errorf("its port is gone, and it is bound to %+v", b)
	}
}

func TestTunnelToAHostThatGetsItsVTEPLate(t *testing.T) {
	w := newWorld(t)
	n := aNetwork("acme", "blue", 5)
	h1, h2 := aHost(1), aHost(2)
	h1.Allocated.DatapathType, h2.Allocated.DatapathType = "netdev", "netdev"
	without := *h2
	without.Allocated.EncapIP = netip.Addr{}
	e1, e2 := anEndpoint(n, 1), anEndpoint(n, 2)
	w.put(h1, &without, &topology.Tenant{Metadata: topology.Metadata{Name: "acme"}}, n, e1, e2)
	w.ports("h1", e1.Allocated.InterfaceID)
	w.ports("h2", e2.Allocated.InterfaceID)
	w.ackAll()
	w.put(h2)
	w.ackAll()
	if w.model.hosts["h1"].unproved[w.model.hosts["h2"]] == nil {
		t.Error("nobody waits for the tunnel from h1 to h2")
	}
	w.mustBe(e2.Key(), topology.PhasePending)
}

func TestHostsThatAreDeletedAreNotCounted(t *testing.T) {
	w := newWorld(t)
	w.put(aHost(1))
	w.ackAll()
	w.remove(topology.Key{Kind: topology.KindHost, Name: "h1"})
	w.Disconnected(1, errors.New("forgotten"))
	w.turn()
	if n := testutil.ToFloat64(w.metrics.hosts.WithLabelValues("openflow")); n != 0 {
		t.Errorf("%v hosts are counted as connected", n)
	}
}
