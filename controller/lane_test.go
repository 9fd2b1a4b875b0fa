package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
)

// sees has a host say whether the tunnel to the gateway host with a number lives.
func (w *world) sees(host string, id uint32, up bool) {
	w.model.hosts[host].ovsdbUp = true
	w.HostLinks(host, []ovsdb.LinkState{{ID: id, Up: up, Known: true}})
	w.turn()
}

// laneEvents are what was said of lanes.
func (w *world) laneEvents() (list []string) {
	for _, ev := range w.events.ring {
		if ev.Type == topology.EventLaneMoved {
			list = append(list, ev.Message)
		}
	}
	return list
}

// settledEdge is a world in which everything of edgeWorld is realized.
func settledEdge(t *testing.T) *world {
	w := edgeWorld(t)
	w.says(1, hop1, hopMAC)
	w.sees("h1", 2, true)
	w.sees("h2", 1, true)
	w.pass(linkPatience + time.Second)
	w.keepHouse()
	w.ackAll()
	return w
}

var (
	edgeKey = topology.Key{Kind: topology.KindGateway, Name: "edge"}
	coreKey = topology.Key{Kind: topology.KindRouter, Tenant: "acme", Name: "core"}
)

// That lanes are numbered anew, or that hosts come back with the controller, moves none.
func TestOnlyLanesThatMoveAreSaidTo(t *testing.T) {
	w := edgeWorld(t)
	w.keepHouse()
	w.Disconnected(1, errors.New("gone"))
	w.Disconnected(2, errors.New("gone"))
	two := weighted(aGateway("h1", "h2"))
	w.put(two)
	w.keepHouse()
	w.ackAll()
	w.keepHouse()
	one := weighted(aGateway("h1", "h2"))
	one.Spec.Hosts[0].Weight, one.Allocated.Lanes = 0, one.Allocated.Lanes[1:]
	w.put(one)
	w.keepHouse()
	if said := w.laneEvents(); len(said) > 0 && !strings.Contains(strings.Join(said, ""), "again") {
		t.Errorf("said %q", said)
	}
	before := len(w.laneEvents())
	w.sees("h1", 2, false)
	if said := w.laneEvents()[before:]; len(said) != 1 || said[0] != "the lane of host h2 went from h2 to h1" {
		t.Errorf("said %q", said)
	}
}

// While all hosts of a gateway are dead, nothing that goes by it is realized.
func TestADeadGatewayIsNotRealized(t *testing.T) {
	w := settledEdge(t)
	f := aFloat("web", 50, ep1.Key())
	w.put(f, aService())
	w.ackAll()
	keys := []topology.Key{edgeKey, coreKey, f.Key(), aService().Key()}
	for _, k := range keys {
		w.mustBe(k, topology.PhaseRealized)
	}
	w.sees("h1", 2, false)
	w.sees("h2", 1, false)
	for _, k := range keys {
		w.mustBe(k, topology.PhasePending)
		if w.object(k).phase != topology.PhasePending {
			t.Errorf("nobody has looked at %s", k)
		}
	}
	w.sees("h2", 1, true)
	for _, k := range keys {
		w.mustBe(k, topology.PhaseRealized)
		if w.object(k).phase != topology.PhaseRealized {
			t.Errorf("whoever waits for %s is not told", k)
		}
	}
}

func TestAServiceWaitsForARouterThatLeadsThere(t *testing.T) {
	w := settledEdge(t)
	w.put(aRouter("acme", "core", 1, "blue"), aService())
	w.ackAll()
	w.mustBe(aService().Key(), topology.PhasePending)
	w.put(withExit(aRouter("acme", "core", 1, "blue")))
	w.mustBe(aService().Key(), topology.PhasePending)
	w.HostLinks("h3", []ovsdb.LinkState{{ID: 1, Up: true, Known: true}, {ID: 2, Up: true, Known: true}})
	w.turn()
	w.mustBe(aService().Key(), topology.PhasePending)
	w.ackAll()
	w.mustBe(aService().Key(), topology.PhaseRealized)
}

// A floating IP is not realized while anything that it stands for is not reached.
func TestAFloatingIPWaitsForAllOfItsEndpoints(t *testing.T) {
	w := settledEdge(t)
	w.put(ep2)
	f := aFloat("web", 50, ep1.Key())
	f.Spec.Endpoint = ""
	f.Spec.Ports = []topology.PortForward{
		{Protocol: "tcp", Port: 80, Endpoint: ep1.Key().Name}, {Protocol: "tcp", Port: 81, Endpoint: ep2.Key().Name}}
	w.put(f)
	w.ackAll()
	w.mustBe(f.Key(), topology.PhasePending)
	w.ports("h3", ep1.Allocated.InterfaceID, ep2.Allocated.InterfaceID)
	w.ackAll()
	w.mustBe(f.Key(), topology.PhaseRealized)
}

func TestAFloatingIPIsAwayWithItsHost(t *testing.T) {
	w := settledEdge(t)
	w.put(mappedHost(3))
	f := aFloat("web", 50, ep1.Key())
	w.put(f)
	w.ackAll()
	w.mustBe(f.Key(), topology.PhaseRealized)
	w.Disconnected(3, errors.New("gone"))
	w.sw.acked[3] = nil
	w.turn()
	w.clock = w.clock.Add(awayAfter)
	w.keepHouse()
	w.turn()
	w.mustBe(f.Key(), topology.PhasePending)
	w.ackAll()
	w.mustBe(f.Key(), topology.PhaseRealized)
	if w.model.floats[f.Key()].phase != topology.PhaseRealized {
		t.Error("whoever waits for it is not told")
	}
}

// A host that comes to carry a gateway, and one to which a floating IP comes, have to
// have acknowledged what the others have already.
func TestHostsThatComeLaterAreWaitedFor(t *testing.T) {
	w := settledEdge(t)
	w.put(mappedHost(3), aGateway("h1", "h2", "h3"))
	w.ack(1)
	w.ack(2)
	g, h3 := w.model.gateways[edgeKey], w.model.hosts["h3"]
	w.sw.acked[3][h3.feed.Feed] = h3.feed.Seq()
	w.Acked(3)
	w.turn()
	if g.needIn(g.feed) == nil || g.needIn(g.ext.feed) == nil {
		t.Error("nobody waits for the new host of the gateway")
	}

	w = settledEdge(t)
	f := aFloat("web", 50, ep1.Key())
	w.put(mappedHost(3), aHost(4), f)
	w.ackAll()
	h4 := mappedHost(4)
	w.put(h4)
	w.ports("h4")
	w.ports("h4", ep1.Allocated.InterfaceID)
	for _, dpid := range []uint64{1, 2, 3} {
		w.ack(dpid)
	}
	w.turn()
	x := w.model.externals[anExternal().Key()]
	if w.model.floats[f.Key()].needIn(x.feed) == nil {
		t.Error("the floating IP does not wait until its new host knows who is outside")
	}
}
