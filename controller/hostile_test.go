package controller

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// fromMAC is an IPv4 frame that has left by a MAC of ours.
func fromMAC(mac topology.MAC) []byte {
	frame := make([]byte, 60)
	copy(frame[6:], mac[:])
	frame[12] = 0x08
	return frame
}

// Who resolves machines that are not there, in the name of a floating IP that goes
// away before they are given up, must not fill the table for good.
func TestNeighboursThatNobodyCanAskAreForgotten(t *testing.T) {
	w := edgeWorld(t)
	w.put(mappedHost(3))
	f := aFloat("web", 50, ep1.Key())
	w.put(f)
	mac := w.model.floats[f.Key()].mac
	for i := range 100 {
		w.PacketIn(3, sentUp(pipeline.ReasonResolve, fromMAC(mac), pipeline.RegNextHop4.Addr(netip.AddrFrom4([4]byte{203, 0, 113, byte(120 + i)}))))
	}
	w.turn()
	w.remove(f.Key())
	w.pass(30 * time.Second)
	if n := len(w.model.externals[anExternal().Key()].neighbours); n != 2 {
		t.Errorf("%d neighbours, want the two next hops", n)
	}
}

// What one host says of machines outside counts only if it is connected to them.
func TestOnlyConnectedHostsSpeakOfNeighbours(t *testing.T) {
	w := edgeWorld(t)
	w.pass(time.Second)
	w.says(3, hop1, hopMAC)
	if w.knows("h1", hop1, hopMAC) {
		t.Error("a host without a bridge has said which MAC the next hop has")
	}
	w.PacketIn(3, sentUp(pipeline.ReasonResolve, fromMAC(topology.MAC{0x0e, 0, 0, 0, 0, 1}), pipeline.RegNextHop4.Addr(netip.MustParseAddr("203.0.113.77"))))
	w.turn()
	if n := len(w.model.externals[anExternal().Key()].neighbours); n != 2 {
		t.Errorf("%d neighbours, want the two next hops", n)
	}
}

// A machine outside that has claimed an address before it was given out must not have
// what is for its new owner.
func TestAnAddressOfOursIsNoNeighbours(t *testing.T) {
	w := edgeWorld(t)
	f := aFloat("web", 50, ep1.Key())
	w.PacketIn(1, sentUp(pipeline.ReasonResolve, fromMAC(topology.MAC{0x0e, 0, 0, 0, 0, 1}), pipeline.RegNextHop4.Addr(f.Allocated.Address)))
	w.turn()
	evil := topology.MAC{2, 0, 0, 0, 6, 6}
	w.says(1, f.Allocated.Address, evil)
	if !w.knows("h1", f.Allocated.Address, evil) {
		t.Fatal("a machine that has the address is not known")
	}
	w.put(f)
	own := pipeline.OwnAddress(1<<24|1, f.Allocated.Address, w.model.floats[f.Key()].mac)[0]
	theirs := pipeline.Neighbour(1<<24|1, f.Allocated.Address, evil)[0]
	if own.Priority <= theirs.Priority {
		t.Errorf("priority of an address of ours is %d, of a neighbour %d", own.Priority, theirs.Priority)
	}
}

// When one of two gateways goes, next hops are asked in the name of the other.
func TestNextHopsAreAskedByTheGatewayThatIsLeft(t *testing.T) {
	w := edgeWorld(t)
	other := aGateway("h1")
	other.Metadata.Name, other.Allocated.ID = "alpine", 2
	other.Allocated.Lanes[0].MAC, other.Allocated.Lanes[0].Addresses = topology.MAC{0x0e, 0, 0, 0, 0, 2}, []netip.Addr{netip.MustParseAddr("203.0.113.3")}
	w.put(other, anExternal())
	w.pass(time.Second)
	x := w.model.externals[anExternal().Key()]
	x.neighbours[hop1].asker.gw = w.model.gateways[other.Key()]
	w.remove(other.Key())
	if g := x.neighbours[hop1].asker.gw; g != w.model.gateways[aGateway("h1").Key()] {
		t.Errorf("the next hop is asked by gateway %v", g.key)
	}
}

// An ICMP error of one endpoint costs little, however many floating IPs there are.
func BenchmarkTranslateLeaving(b *testing.B) {
	w := newWorld(b)
	blue := aNetwork("acme", "blue", 100)
	w.put(mappedHost(1), anExternal(), aGateway("h1"), blue)
	n := 5000
	var ids []string
	for i := range n {
		e := anEndpoint(blue, i+1)
		f := aFloat(fmt.Sprint("f", i), 0, e.Key())
		f.Allocated.Address = netip.AddrFrom4([4]byte{203, 1, byte(i >> 8), byte(i)})
		w.put(e)
		ids = append(ids, e.Allocated.InterfaceID)
		if i == 0 {
			w.put(withExit(aRouter("acme", "core", 1, "blue")))
		}
		w.put(f)
	}
	w.ports("h1", ids...)
	src := netip.AddrFrom4([4]byte{10, 100, 0, 1})
	frame := make([]byte, 70)
	frame[12], frame[14], frame[23] = 8, 0x45, 1
	copy(frame[26:], src.AsSlice())
	pkt := openflow.PacketIn{Data: frame, Fields: openflow.Match{pipeline.RegReason.Uint(uint64(pipeline.ReasonLeaving)), pipeline.RegNetwork.Uint(9001)}}
	for b.Loop() {
		w.sw.packets = nil
		w.packetArrived(w.model.hosts["h1"], pkt)
	}
}

// Two floating IPs that stand for ports of one endpoint have no flow in common: what one
// gives up, the other would lose.
func TestFloatingIPsOfOneEndpointShareNoFlow(t *testing.T) {
	w := edgeWorld(t)
	var list []*topology.FloatingIP
	for i := range 2 {
		f := aFloat(fmt.Sprint("f", i), byte(50+i), ep1.Key())
		f.Spec.Endpoint = ""
		f.Spec.Ports = []topology.PortForward{{Protocol: "tcp", Port: 80 + i, Endpoint: ep1.Metadata.Name}}
		list = append(list, f)
		w.put(f)
	}
	quotes := func() int {
		n := 0
		for key, owners := range w.flowOwners("h1") {
			if len(owners) > 1 {
				t.Errorf("table %d has one flow of %v", key[0], owners)
			}
			if key[0] == pipeline.TableLeave && key[1] == 330>>8 && key[2] == 330&0xff {
				n++
			}
		}
		return n
	}
	if n := quotes(); n != 3 {
		t.Errorf("%d flows for ICMP errors, want 3", n)
	}
	w.remove(list[0].Key())
	if n := quotes(); n != 3 {
		t.Errorf("%d flows for ICMP errors are left, want 3", n)
	}
	w.remove(list[1].Key())
	if n := quotes(); n != 0 {
		t.Errorf("%d flows for ICMP errors are left of nobody", n)
	}
}

// flowOwners are the cookies of each flow of a host's plan, by what a switch knows it by:
// its table, priority and match.
func (w *world) flowOwners(host string) map[string][]uint64 {
	all := map[string][]uint64{}
	for _, f := range w.sw.plans[w.model.hosts[host].spec.Allocated.DatapathID] {
		for _, e := range f.Entries() {
			if e.ID.Kind != openflow.EntryFlow {
				continue
			}
			// OpenFlow 1.3.5, 7.3.4.1: the match comes after 48 bytes, its length after its type.
			match := e.Add[48:]
			match = match[:int(match[2])<<8|int(match[3])]
			key := string([]byte{e.ID.Table, byte(e.ID.Priority >> 8), byte(e.ID.Priority)}) + string(match)
			all[key] = append(all[key], e.ID.Cookie)
		}
	}
	return all
}

// An ICMP error is no way round the sources of a floating IP: it is let in by connection
// tracking alone.
func TestErrorsDoNotEscapeSources(t *testing.T) {
	w := edgeWorld(t)
	f := aFloat("web", 50, ep1.Key())
	f.Spec.Sources = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	w.put(f)
	stranger := netip.MustParseAddr("198.18.0.1")
	quoted := make([]byte, 42) // from the floating IP to the stranger, by UDP
	copy(quoted, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17})
	copy(quoted[26:], f.Allocated.Address.AsSlice())
	copy(quoted[30:], stranger.AsSlice())
	frame, ok := packet.ICMPError(quoted, stranger, 3, 3, 0, [6]byte{2, 0, 0, 0, 9, 9}, [6]byte{0x0e, 0, 0, 0, 0, 1})
	if !ok {
		t.Fatal("no error")
	}
	w.sw.packets = nil
	w.PacketIn(1, sentUp(pipeline.ReasonEntering, frame))
	w.turn()
	tracked := false
	for _, p := range w.sw.packets {
		for _, a := range p.actions {
			switch a := a.(type) {
			case openflow.Resubmit:
				if a.Table == pipeline.TableArrive {
					t.Error("it is let in")
				}
			case openflow.CT:
				tracked = a.Zone == 1 && a.Table == pipeline.TableReturn && !a.Commit
			}
		}
	}
	if !tracked {
		t.Errorf("connection tracking is not asked: %v", w.sw.packets)
	}
}

// Whatever a host sends up, the controller goes on, and what it remembers is bounded.
func TestAnythingMayBeSentUp(t *testing.T) {
	w := edgeWorld(t)
	w.put(mappedHost(3), aFloat("web", 50, ep1.Key()))
	r := rand.New(rand.NewPCG(1, 2))
	numbers := []uint32{0, 1, 1<<24 | 1, 1<<24 | 2, 9001, 9002, 0xffffff, ^uint32(0)}
	addr := func() netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(r.Uint32())}) }
	for range 20_000 {
		frame := make([]byte, r.IntN(120))
		for i := range frame {
			frame[i] = byte(r.Uint32())
		}
		if len(frame) > 34 {
			copy(frame[12:], [][]byte{{8, 0, 0x45}, {8, 6, 0, 1, 8, 0, 6, 4, 0, 2}, {0x86, 0xdd, 0x60}}[r.IntN(3)])
			copy(frame[26:], addr().AsSlice())
		}
		pkt := openflow.PacketIn{Data: frame, Fields: openflow.Match{
			pipeline.RegReason.Uint(uint64(r.IntN(9))), pipeline.RegNetwork.Uint(uint64(numbers[r.IntN(len(numbers))])),
			pipeline.RegExternal.Uint(uint64(numbers[r.IntN(len(numbers))])), pipeline.RegNextHop4.Addr(addr())}}
		if r.IntN(2) == 0 {
			pkt.Fields = append(pkt.Fields, openflow.InPort.Uint(uint64(r.Uint32())))
		}
		w.packetArrived(w.model.hosts[fmt.Sprintf("h%d", 1+r.IntN(3))], pkt)
		w.sw.packets = nil
	}
	w.turn()
	for _, x := range w.model.externals {
		for _, n := range x.neighbours {
			if len(n.held) > maxHeld {
				t.Errorf("%d packets wait for %s", len(n.held), n.addr)
			}
		}
	}
}

// Who asks for more neighbours than fit takes the place of others that have not answered,
// and of nobody else while there are such.
func TestAFullTableForgetsWhoHasNotAnswered(t *testing.T) {
	w := edgeWorld(t)
	wide := anExternal()
	wide.Spec.Subnets[0].CIDR = netip.MustParsePrefix("203.0.0.0/16")
	w.put(wide)
	w.says(1, hop1, hopMAC)
	x := w.model.externals[wide.Key()]
	ask := func(a netip.Addr) {
		w.PacketIn(1, sentUp(pipeline.ReasonResolve, fromMAC(topology.MAC{0x0e, 0, 0, 0, 0, 1}), pipeline.RegNextHop4.Addr(a)))
	}
	client := netip.MustParseAddr("203.0.113.77")
	ask(client)
	w.turn()
	w.says(1, client, hopMAC)
	for i := range 2 * maxNeighbours {
		ask(netip.AddrFrom4([4]byte{203, 0, byte(128 + i>>8), byte(i)}))
		if i%500 == 0 {
			w.turn() // the inbox is bounded
		}
	}
	w.turn()
	if len(x.neighbours) != maxNeighbours {
		t.Errorf("%d neighbours, want %d", len(x.neighbours), maxNeighbours)
	}
	for _, a := range []netip.Addr{hop1, client} {
		if n := x.neighbours[a]; n == nil || !n.known() {
			t.Errorf("%s is forgotten", a)
		}
	}
	last := netip.MustParseAddr("203.0.113.78")
	ask(last)
	if w.turn(); x.neighbours[last] == nil {
		t.Error("there is no room for one more")
	}
}
