package controller

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file finds the MACs of machines outside. Switches send up packets whose next
// hop they do not know, metered; the controller asks, and what it hears goes to all
// hosts that send there, so that a gateway that takes over knows it.

const (
	askFirst  = 100 * time.Millisecond // after which an unanswered question is repeated
	askLast   = 2 * time.Second        // and how long that becomes by doubling
	askMost   = 5                      // times, of what nobody configured
	askAgain  = 20 * time.Second       // when a known neighbour is asked whether it is there
	askMissed = 3                      // answers that a known neighbour may owe
	// maxNeighbours bounds an external network's; who scans it must not fill memory.
	maxNeighbours = 4096
	// maxHeld packets wait for a neighbour's MAC (RFC 4861, 7.2.2, wants at least one).
	maxHeld = 3
)

// neighbour is a machine on an external network.
type neighbour struct {
	addr      netip.Addr
	mac       topology.MAC // zero while it is not known
	permanent bool         // a next hop that was configured
	asker     asker
	asked     int // since it answered
	next      time.Time
	interval  time.Duration
	held      []heldPacket
}

// asker says in whose name a neighbour is asked: a lane, wherever that is, or a
// floating IP on its host.
type asker struct {
	gw   *gateway
	lane int
	f    *floating
}

type heldPacket struct {
	dpid uint64
	data []byte
}

func (n *neighbour) known() bool { return !n.mac.IsZero() }

// source is the address and MAC from which an asker asks; the zero Addr if it has none.
func (a asker) source(v4 bool) (netip.Addr, topology.MAC) {
	if a.f != nil {
		return a.f.spec.Allocated.Address, a.f.mac
	}
	if a.gw == nil || a.lane >= len(a.gw.spec.Allocated.Lanes) {
		return netip.Addr{}, topology.MAC{}
	}
	l := a.gw.spec.Allocated.Lanes[a.lane]
	for _, addr := range l.Addresses {
		if addr.Is4() == v4 {
			return addr, l.MAC
		}
	}
	return netip.Addr{}, l.MAC
}

// expectHops keeps the configured next hops among the neighbours.
func (c *Controller) expectHops(x *external) {
	want := map[netip.Addr]bool{}
	for _, s := range x.spec.Spec.Subnets {
		for _, a := range s.NextHops {
			want[a] = true
		}
	}
	for a, n := range x.neighbours {
		n.permanent = want[a]
	}
	for a := range want {
		n := x.neighbours[a]
		if n == nil {
			n = &neighbour{addr: a, permanent: true, interval: askFirst, next: c.now()}
			x.neighbours[a] = n
			c.tendAt = n.next
		}
		if n.permanent = true; !n.canAsk(x) {
			n.asker = x.anyAsker(a.Is4())
		}
	}
	c.chooseHops(x)
}

// on says whether an asker can still ask in an external network.
func (a asker) on(x *external) bool {
	if a.f != nil {
		return a.f.here != nil && a.f.gw.ext == x
	}
	return x.gateways[a.gw] && a.lane < len(a.gw.spec.Allocated.Lanes)
}

// chooseHops takes, of each IP version, the first next hop that answers; while none
// does, the first.
func (c *Controller) chooseHops(x *external) {
	var first, known pipeline.Hops
	for _, s := range x.spec.Spec.Subnets {
		for _, a := range s.NextHops {
			f, k := &first.IPv6, &known.IPv6
			if a.Is4() {
				f, k = &first.IPv4, &known.IPv4
			}
			if !f.IsValid() {
				*f = a
			}
			if n := x.neighbours[a]; !k.IsValid() && n != nil && n.known() {
				*k = a
			}
		}
	}
	if !known.IPv4.IsValid() {
		known.IPv4 = first.IPv4
	}
	if !known.IPv6.IsValid() {
		known.IPv6 = first.IPv6
	}
	if known != x.hops {
		x.hops = known
		c.dirty.externals[x] = true
	}
}

// resolve asks for the next hop of a packet that a switch sent up.
func (c *Controller) resolve(h *host, pkt openflow.PacketIn) {
	x := c.externalOf(pkt)
	if x == nil || !h.externals[x] || len(pkt.Data) < 14 {
		return
	}
	a := netip.AddrFrom16(wide(pkt, openflow.Reg4))
	if binary.BigEndian.Uint16(pkt.Data[12:]) == 0x0800 {
		a = netip.AddrFrom4([4]byte(narrow(pkt, pipeline.RegNextHop4)))
	}
	n := x.neighbours[a]
	if n == nil {
		if !x.onLink(a) {
			return
		}
		if len(x.neighbours) >= maxNeighbours {
			c.makeRoom(x)
		}
		n = &neighbour{addr: a, interval: askFirst, next: c.now()}
		x.neighbours[a] = n
		c.tendAt = n.next
	}
	if by := c.askerOf(x, h, topology.MAC(pkt.Data[6:12])); by != (asker{}) {
		n.asker = by
	}
	if n.known() {
		return // its flow is on its way
	}
	if len(n.held) < maxHeld {
		n.held = append(n.held, heldPacket{h.spec.Allocated.DatapathID, pkt.Data})
	}
}

// makeRoom forgets a neighbour, at random: one that has not answered, if there is one. So
// nobody can keep the table full; what is forgotten and used is asked for again.
func (c *Controller) makeRoom(x *external) {
	var victim *neighbour
	for _, n := range x.neighbours {
		if n.permanent {
			continue
		}
		if victim = n; !n.known() {
			break
		}
	}
	if victim != nil {
		c.forgetNeighbour(x, victim)
	}
}

func (c *Controller) forgetNeighbour(x *external, n *neighbour) {
	delete(x.neighbours, n.addr)
	if n.known() {
		n.mac = topology.MAC{}
		c.setNeighbour(x, n)
	}
}

func (x *external) onLink(a netip.Addr) bool {
	for _, s := range x.spec.Spec.Subnets {
		if s.CIDR.Contains(a) {
			return true
		}
	}
	return false
}

// askerOf finds whose a MAC outside is.
func (c *Controller) askerOf(x *external, h *host, mac topology.MAC) asker {
	for g := range x.gateways {
		for i, l := range g.spec.Allocated.Lanes {
			if l.MAC == mac {
				return asker{gw: g, lane: i}
			}
		}
	}
	if f := c.model.floatMACs[mac]; f != nil && f.here == h && f.gw.ext == x {
		return asker{f: f}
	}
	return asker{}
}

// heard takes in who says that it has which address. A host that is not connected to the
// external network cannot have heard it.
func (c *Controller) heard(h *host, pkt openflow.PacketIn) {
	x := c.externalOf(pkt)
	if x == nil || !h.externals[x] {
		return
	}
	a, mac, _, ok := packet.Neighbour(pkt.Data)
	n := x.neighbours[a]
	if !ok || n == nil {
		return // nobody asked
	}
	c.tendAt = time.Time{}
	changed := n.mac != topology.MAC(mac)
	n.mac, n.asked, n.interval, n.next = mac, 0, askFirst, c.now().Add(askAgain)
	if !changed {
		return
	}
	c.setNeighbour(x, n)
	for _, p := range n.held {
		// The flow may not be there yet.
		c.send(p.dpid, p.data, number(x), openflow.SetField{FieldValue: openflow.EthDst.MAC(n.mac)}, openflow.Resubmit{Table: pipeline.TableToOutside})
	}
	n.held = nil
}

func (x *external) neighbourOwner(a netip.Addr) string {
	return x.key.String() + " neighbour " + a.String()
}

// setNeighbour puts what is known of a neighbour into the feed. Nobody waits for it.
func (c *Controller) setNeighbour(x *external, n *neighbour) {
	var entries []openflow.Entry
	if n.known() {
		entries = c.seal(x.key.String(), pipeline.Neighbour(pipeline.ExternalNumber(x.spec), n.addr, n.mac))
	}
	x.feed.Set(x.neighbourOwner(n.addr), entries)
	x.keep = true
	if n.permanent {
		c.chooseHops(x)
		for g := range x.gateways {
			c.dirty.phases[&g.object] = true
		}
	}
}

// tendNeighbours asks who has to be asked, and returns when to look again; the zero
// time means never.
func (c *Controller) tendNeighbours() (next time.Time) {
	now := c.now()
	if c.tendAt.After(now) {
		return c.tendAt
	}
	defer func() { c.tendAt = next }()
	for _, x := range c.model.externals {
		for a, n := range x.neighbours {
			if !n.next.After(now) {
				c.tend(x, n, now)
			}
			if x.neighbours[a] == n && (next.IsZero() || n.next.Before(next)) {
				next = n.next
			}
		}
	}
	return next
}

func (c *Controller) tend(x *external, n *neighbour, now time.Time) {
	switch {
	case !n.permanent && n.asked >= askMost, !n.permanent && n.known() && n.asked >= askMissed:
		c.forgetNeighbour(x, n)
		return
	case n.permanent && n.known() && n.asked >= askMissed:
		// Another may answer; while none does, this one's MAC is as good as any.
		c.fallBack(x, n)
	}
	n.next = now.Add(n.interval)
	// Who was never heard of is given up even if nobody could ask.
	if c.ask(x, n) || !n.permanent && !n.known() {
		n.asked++
		n.interval = min(2*n.interval, askLast)
	}
}

// fallBack gives up a next hop that does not answer, if another does.
func (c *Controller) fallBack(x *external, n *neighbour) {
	for _, o := range x.neighbours {
		if o != n && o.permanent && o.known() && o.asked < askMissed && o.addr.Is4() == n.addr.Is4() {
			n.mac = topology.MAC{}
			c.setNeighbour(x, n)
			c.inbox.nudge() // the other one is not in the feed before the next round
			return
		}
	}
}

// ask sends the question; false if no switch could.
func (c *Controller) ask(x *external, n *neighbour) bool {
	if !n.canAsk(x) {
		n.asker = x.anyAsker(n.addr.Is4())
	}
	src, mac := n.asker.source(n.addr.Is4())
	if !src.IsValid() || src.Is4() != n.addr.Is4() {
		return false
	}
	frame := packet.ARPRequest(mac, src, n.addr, broadcastOr(n))
	if n.addr.Is6() {
		frame = packet.NeighbourSolicitation(mac, src, n.addr, n.mac)
	}
	if f := n.asker.f; f != nil {
		return f.here != nil && c.send(f.here.spec.Allocated.DatapathID, frame, number(x), openflow.Resubmit{Table: pipeline.TableWire})
	}
	return c.sendByLane(n.asker.gw, n.asker.lane, frame)
}

// canAsk says whether the neighbour's asker is still there and has an address to ask
// from. After a restart it has none.
func (n *neighbour) canAsk(x *external) bool {
	src, _ := n.asker.source(n.addr.Is4())
	return n.asker.on(x) && src.IsValid()
}

// anyAsker is the first lane that has an address of the IP version; the zero asker if
// there is none.
func (x *external) anyAsker(v4 bool) (first asker) {
	for g := range x.gateways {
		for i := range g.spec.Allocated.Lanes {
			by := asker{gw: g, lane: i}
			if src, _ := by.source(v4); src.IsValid() {
				if first.gw == nil || g.key.Name < first.gw.key.Name {
					first = by
				}
				break
			}
		}
	}
	return first
}

// broadcastOr is where an ARP request goes: to a known neighbour alone, lest all the
// others wake up.
func broadcastOr(n *neighbour) [6]byte {
	if n.known() {
		return n.mac
	}
	return [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
}

// number sets the external network that a packet is for.
func number(x *external) openflow.Action {
	return openflow.SetField{FieldValue: pipeline.RegNetwork.Uint(uint64(pipeline.ExternalNumber(x.spec)))}
}

// send hands a frame to a switch; false if it is away.
func (c *Controller) send(dpid uint64, frame []byte, actions ...openflow.Action) bool {
	err := c.switches.PacketOut(dpid, openflow.PortController, actions, frame)
	if err != nil {
		c.log.Debug().Err(err).Msg("sending a packet")
	}
	return err == nil
}

// sendByLane sends a frame out to the external network from where the lane is: every
// host of the gateway gets it, and lets it pass or not.
func (c *Controller) sendByLane(g *gateway, lane int, frame []byte) bool {
	if active := c.activeHosts(g); lane >= len(active) || active[lane] == "" {
		return false // no host lets it pass yet
	}
	sent := false
	for _, h := range c.carriers(g) {
		if h.openflowUp {
			sent = c.send(h.spec.Allocated.DatapathID, frame, number(g.ext),
				openflow.Load{Value: 1, Dst: pipeline.RegFlags, Ofs: pipeline.FlagAnnounce, NBits: 1},
				openflow.ToGroup{ID: pipeline.GroupID(g.spec, lane, pipeline.GroupGate)}) || sent
		}
	}
	return sent
}

// externalOf is the external network whose number a packet has in reg0.
func (c *Controller) externalOf(pkt openflow.PacketIn) *external {
	return c.externalNumbered(binary.BigEndian.Uint32(narrow(pkt, pipeline.RegNetwork)))
}

func (c *Controller) externalNumbered(n uint32) *external {
	for _, x := range c.model.externals {
		if pipeline.ExternalNumber(x.spec) == n {
			return x
		}
	}
	return nil
}

// narrow is a register of 32 bits.
func narrow(pkt openflow.PacketIn, f openflow.Field) []byte {
	for _, v := range pkt.Fields {
		if v.Field == f {
			return v.Value[:4]
		}
	}
	return make([]byte, 4)
}

// wide is one of 128 bits, which a switch reports as four.
func wide(pkt openflow.PacketIn, first openflow.Field) (v [16]byte) {
	for i := range openflow.Field(4) {
		copy(v[4*i:], narrow(pkt, first+i))
	}
	return v
}
