package controller

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

var (
	hop1   = netip.MustParseAddr("203.0.113.1")
	hop2   = netip.MustParseAddr("203.0.113.254")
	laneIP = netip.MustParseAddr("203.0.113.2")
	hopMAC = topology.MAC{2, 0, 0, 0, 9, 1}
)

// edgeWorld has a gateway on hosts 1 and 2, and endpoint ep1 on host 3.
func edgeWorld(t *testing.T) *world {
	w := newWorld(t)
	w.put(mappedHost(1), mappedHost(2), aHost(3), anExternal(), aGateway("h1", "h2"), blueNet, ep1)
	w.ports("h3", ep1.Allocated.InterfaceID)
	w.put(withExit(aRouter("acme", "core", 1, "blue")))
	w.ackAll()
	return w
}

// asked are the addresses for which ARP requests were sent since the last call.
func (w *world) asked() []netip.Addr {
	var list []netip.Addr
	for _, p := range w.sw.packets {
		if len(p.data) >= 42 && p.data[12] == 0x08 && p.data[13] == 0x06 {
			list = append(list, netip.AddrFrom4([4]byte(p.data[38:42])))
		}
	}
	w.sw.packets = nil
	return list
}

func (w *world) pass(d time.Duration) {
	for end := w.clock.Add(d); w.clock.Before(end); {
		w.clock = w.clock.Add(50 * time.Millisecond)
		w.turn()
	}
}

func sentUp(why pipeline.Reason, data []byte, more ...openflow.FieldValue) openflow.PacketIn {
	return openflow.PacketIn{Data: data, Fields: append(openflow.Match{
		openflow.InPort.Uint(61000), pipeline.RegReason.Uint(uint64(why)), pipeline.RegNetwork.Uint(1<<24 | 1)}, more...)}
}

// says has a machine outside answer.
func (w *world) says(dpid uint64, a netip.Addr, mac topology.MAC) {
	frame := packet.ARPRequest(mac, a, laneIP, topology.MAC{0x0e, 0, 0, 0, 0, 1})
	frame[21] = 2 // a reply
	w.PacketIn(dpid, sentUp(pipeline.ReasonHeard, frame))
	w.turn()
}

// knows says whether a host's plan has the MAC of an address outside.
func (w *world) knows(host string, a netip.Addr, mac topology.MAC) bool {
	entries, err := openflow.Seal("ExternalNetwork/internet", pipeline.Neighbour(1<<24|1, a, mac))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range w.sw.plans[w.model.hosts[host].spec.Allocated.DatapathID] {
		if slices.ContainsFunc(f.Entries(), func(e openflow.Entry) bool { return e.Sum == entries[0].Sum && e.ID.Table == pipeline.TableNeighbour }) {
			return true
		}
	}
	return false
}

// Configured next hops are asked for until they answer, by every host of the gateway
// since only the one that carries the lane lets it out; then they are known to all of
// those, and asked again and again whether they are still there.
func TestNextHopsAreAsked(t *testing.T) {
	w := edgeWorld(t)
	w.pass(time.Second)
	if asked := w.asked(); !slices.Contains(asked, hop1) || !slices.Contains(asked, hop2) {
		t.Fatalf("asked for %v", asked)
	}
	w.says(2, hop1, hopMAC)
	if !w.knows("h1", hop1, hopMAC) || !w.knows("h2", hop1, hopMAC) {
		t.Error("a gateway host does not know the next hop")
	}
	w.asked()
	w.pass(5 * time.Second)
	if asked := w.asked(); slices.Contains(asked, hop1) || !slices.Contains(asked, hop2) {
		t.Errorf("asked for %v, want the one that has not answered", asked)
	}
	w.pass(askAgain)
	if !slices.Contains(w.asked(), hop1) {
		t.Error("the next hop was not asked again")
	}
	w.says(1, hop1, topology.MAC{2, 0, 0, 0, 9, 9})
	if w.knows("h1", hop1, hopMAC) || !w.knows("h1", hop1, topology.MAC{2, 0, 0, 0, 9, 9}) {
		t.Error("the new MAC is not taken")
	}
}

// A next hop that falls silent is given up for one that answers, and kept if none does.
func TestASilentNextHopIsReplaced(t *testing.T) {
	w := edgeWorld(t)
	w.pass(time.Second)
	w.says(1, hop1, hopMAC)
	w.pass(askAgain + 20*time.Second)
	if !w.knows("h1", hop1, hopMAC) {
		t.Error("the only next hop that ever answered was given up")
	}
	other := topology.MAC{2, 0, 0, 0, 9, 2}
	w.says(1, hop2, other)
	w.pass(askLast * 2)
	if w.knows("h1", hop1, hopMAC) || w.model.externals[anExternal().Key()].hops.IPv4 != hop2 {
		t.Error("the silent next hop is still used")
	}
}

// A packet for a neighbour that is not known has it asked, is sent when that answers,
// and the neighbour is forgotten when it does not.
func TestNeighboursAreResolvedOnDemand(t *testing.T) {
	w := edgeWorld(t)
	client := netip.MustParseAddr("203.0.113.77")
	frame := make([]byte, 60)
	copy(frame[6:], []byte{0x0e, 0, 0, 0, 0, 1}) // from the lane
	frame[12] = 0x08
	w.pass(time.Second)
	w.asked()
	up := sentUp(pipeline.ReasonResolve, frame, pipeline.RegNextHop4.Addr(client))
	w.PacketIn(1, up)
	w.turn()
	if !slices.Contains(w.asked(), client) {
		t.Fatal("nobody was asked")
	}
	w.says(1, client, hopMAC)
	held := slices.ContainsFunc(w.sw.packets, func(p sentPacket) bool { return slices.Equal(p.data, frame) })
	if !held || !w.knows("h1", client, hopMAC) {
		t.Error("the packet was not sent on, or the neighbour is not known")
	}
	w.pass(askAgain + 20*time.Second)
	if x := w.model.externals[anExternal().Key()]; w.knows("h1", client, hopMAC) || x.neighbours[client] != nil {
		t.Error("a neighbour that is silent is still known")
	}
	// Addresses that are not on the network are nobody's, and there is a bound.
	w.PacketIn(1, sentUp(pipeline.ReasonResolve, frame, pipeline.RegNextHop4.Addr(netip.MustParseAddr("10.0.0.1"))))
	w.says(1, netip.MustParseAddr("203.0.113.78"), hopMAC)
	w.turn()
	if n := len(w.model.externals[anExternal().Key()].neighbours); n != 2 {
		t.Errorf("%d neighbours", n)
	}
}

// What was known before a restart is in the plan before any switch is let in.
func TestNeighboursSurviveARestart(t *testing.T) {
	w := newWorld(t)
	w.remembered = map[string]neighbourTable{"internet": {hop1: hopMAC}}
	w.put(mappedHost(1), anExternal(), aGateway("h1"))
	if !w.knows("h1", hop1, hopMAC) {
		t.Error("the next hop is forgotten")
	}
	if tables := w.changedNeighbours(); len(tables["internet"]) != 1 {
		t.Errorf("to be stored: %v", tables)
	}
}

// An external network that was deleted while no controller ran leaves none to another
// one of its name.
func TestNeighboursOfNobodyAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.remembered = map[string]neighbourTable{"internet": {hop1: hopMAC}}
	w.round(store.Batch{Initial: true, Synced: true})
	if known, there := w.changedNeighbours()["internet"]; !there || known != nil {
		t.Error("they stay in the store")
	}
	w.put(mappedHost(1), anExternal(), aGateway("h1"))
	if w.knows("h1", hop1, hopMAC) {
		t.Error("the new one begins with them")
	}
}

// Neighbours of before a restart are asked whether they are still there, like others.
func TestNeighboursOfBeforeARestartAreAsked(t *testing.T) {
	w := newWorld(t)
	client := netip.MustParseAddr("203.0.113.77")
	w.remembered = map[string]neighbourTable{"internet": {client: hopMAC}}
	w.put(mappedHost(1), anExternal(), aGateway("h1"))
	w.ackAll()
	w.pass(time.Second)
	if !slices.Contains(w.asked(), client) {
		t.Error("it is not asked")
	}
	w.pass(20 * time.Second)
	if w.knows("h1", client, hopMAC) {
		t.Error("it is silent, and still known")
	}
}

// A neighbour that nobody can ask must not keep its place for ever.
func TestWhomNobodyCanAskIsForgotten(t *testing.T) {
	w := edgeWorld(t)
	w.Disconnected(1, errors.New("gone"))
	w.Disconnected(2, errors.New("gone"))
	w.sw.acked[1], w.sw.acked[2] = nil, nil
	w.turn()
	frame := make([]byte, 60)
	frame[12] = 0x08
	w.PacketIn(1, sentUp(pipeline.ReasonResolve, frame, pipeline.RegNextHop4.Addr(netip.MustParseAddr("203.0.113.77"))))
	w.pass(10 * time.Second)
	if n := len(w.model.externals[anExternal().Key()].neighbours); n != 2 {
		t.Errorf("%d neighbours, want the next hops", n)
	}
}

// Who was asked in the name of a gateway that is gone is asked by another one.
func TestNeighboursOutliveTheirGateway(t *testing.T) {
	w := edgeWorld(t)
	other := aGateway("h1")
	other.Metadata.Name, other.Allocated.ID = "other", 2
	other.Allocated.Lanes[0].MAC = topology.MAC{0x0e, 0, 0, 0, 0, 2}
	w.put(other)
	w.pass(time.Second)
	w.put(aRouter("acme", "core", 1, "blue"))
	w.remove(aGateway("h1").Key())
	w.asked()
	w.pass(5 * time.Second)
	gone := openflow.ToGroup{ID: pipeline.GroupID(aGateway("h1"), 0, pipeline.GroupGate)}
	for _, p := range w.sw.packets {
		if slices.Contains(p.actions, openflow.Action(gone)) {
			t.Fatal("it is asked by the gateway that is gone")
		}
	}
	if !slices.Contains(w.asked(), hop1) {
		t.Error("the next hop is not asked any more")
	}
}

// A floating IP is on its endpoint's host if that has the bridge, else at the gateway;
// when it moves, its neighbours are told.
func TestAFloatingIPMoves(t *testing.T) {
	w := edgeWorld(t)
	f := aFloat("web", 50, ep1.Key())
	w.put(f)
	fl := w.model.floats[f.Key()]
	if fl.here != nil || fl.on != fl.gw.feed {
		t.Fatal("it is not at the gateway")
	}
	told := func() (hosts []uint64) {
		w.sw.packets = nil
		w.pass(5 * time.Second)
		for _, p := range w.sw.packets {
			if len(p.data) >= 42 && netip.AddrFrom4([4]byte(p.data[38:42])) == f.Allocated.Address && !slices.Contains(hosts, p.dpid) {
				hosts = append(hosts, p.dpid)
			}
		}
		slices.Sort(hosts)
		return hosts
	}
	if hosts := told(); !slices.Equal(hosts, []uint64{1, 2}) {
		t.Errorf("told by %v, want both gateway hosts", hosts)
	}
	w.put(mappedHost(3))
	if fl.here == nil || fl.here.key.Name != "h3" {
		t.Fatal("it is not on its endpoint's host, which has a bridge now")
	}
	if hosts := told(); !slices.Equal(hosts, []uint64{3}) {
		t.Errorf("told by %v", hosts)
	}
	w.ports("h3")
	if fl.on != nil {
		t.Error("it stands for an endpoint that is nowhere")
	}
	if phase, reason := w.judge(&fl.object); phase != topology.PhasePending || reason == "" {
		t.Errorf("%s %q", phase, reason)
	}
}

// What hosts say of their tunnels decides where a lane is, and which lanes are announced.
func TestLanesFollowLiveness(t *testing.T) {
	w := edgeWorld(t)
	g := w.model.gateways[aGateway("h1").Key()]
	say := func(host string, id uint32, up bool) {
		w.model.hosts[host].ovsdbUp = true
		w.HostLinks(host, []ovsdb.LinkState{{ID: id, Up: up, Known: true}})
		w.turn()
	}
	say("h2", 1, true)
	say("h1", 2, true)
	if a := w.activeHosts(g); a[0] != "h1" || len(w.lanesAnnounced(g)) != 1 {
		t.Errorf("active on %v, announced %v", a, w.lanesAnnounced(g))
	}
	say("h2", 1, false)
	if a := w.activeHosts(g); a[0] != "h2" || len(w.lanesAnnounced(g)) != 1 {
		t.Errorf("active on %v, announced %v", a, w.lanesAnnounced(g))
	}
	say("h1", 2, false)
	if a := w.activeHosts(g); a[0] != "" || len(w.lanesAnnounced(g)) != 0 {
		t.Errorf("active on %v, announced %v", a, w.lanesAnnounced(g))
	}
}
