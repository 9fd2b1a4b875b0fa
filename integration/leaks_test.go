package integration

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// dropped is how many packets were dropped by flows of a table, on all hosts that are
// connected to the outside.
func (e *edge) dropped(table int) int {
	sum := 0
	for _, h := range []string{"h1", "h2"} {
		for _, f := range e.flows(h) {
			if f.table == table && strings.HasSuffix(f.text, "actions=drop") {
				sum += f.packets
			}
		}
	}
	return sum
}

// macOf is the MAC that a machine outside has learned of an address.
func (f *floats) macOf(t *testing.T, addr netip.Addr) string {
	t.Helper()
	if err := f.tryPing(f.near, addr); err != nil {
		t.Fatal(err)
	}
	out, err := f.near.Command("ip", "neigh", "show", addr.String()).CombinedOutput()
	_, rest, ok := strings.Cut(string(out), "lladdr ")
	if err != nil || !ok {
		t.Fatalf("no MAC of %s: %v %s", addr, err, out)
	}
	return strings.Fields(rest)[0]
}

// Acceptance 7 of gateways: what must not come in from outside is dropped, and counted.
func TestHostileOutside(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	f.api.apply(t, new(manifest).endpoint("acme", "d", "blue", "10.0.0.21", "2001:db8:1::21").String())
	d := f.attach("acme/d", "h1") // is translated to its router's address
	f.realized("acme/d")
	a, c := f.nodes["acme/a"], f.nodes["acme/c"]
	snat := f.api.get(t, "/v1/tenants/acme/routers/core").Status.Gateways[0].Addresses[0].String()
	evil := f.outside(lab.OutsideConfig{Name: "evil", Addresses: prefixes("203.0.113.66/24")})
	lane4 := f.laneAddress(t, true)
	lane, own := f.macOf(t, lane4), f.macOf(t, f.addr["acme/a"])
	if got := f.macOf(t, f.addr["acme/c"]); got != lane || own == lane {
		t.Fatalf("the MACs are %s, %s and %s", lane, own, got)
	}
	to := func(mac, src, dst string) []byte {
		return udpFrame(frameFields{srcMAC: evil.MAC(), dstMAC: mac, srcIP: src, dstIP: dst})
	}
	to6 := func(src, dst string) []byte {
		return udp6Frame(frameFields{srcMAC: evil.MAC(), dstMAC: lane, srcIP6: src, dstIP6: dst})
	}
	const outsider = "203.0.113.66"
	fields := frameFields{srcMAC: evil.MAC(), dstMAC: lane, srcIP: outsider, dstIP: f.addr["acme/a"].String(), srcIP6: "2001:db8:f::66", dstIP6: "ff02::1"}
	for _, tt := range []struct {
		name  string
		frame []byte
		table int
		at    *node
	}{
		{"to an address inside, by the lane", to(lane, outsider, "10.0.0.21"), 4, d},
		{"to an address inside that has a floating IP, by the lane", to(lane, outsider, "10.0.0.13"), 4, c},
		{"to an address inside, by a floating IP's MAC", to(own, outsider, "10.0.0.11"), 4, a},
		{"to another address inside, by a floating IP's MAC", to(own, outsider, "10.0.0.21"), 4, d},
		{"to the router's address inside", to(lane, outsider, "10.0.0.1"), 4, d},
		{"to the lane's own address", to(lane, outsider, lane4.String()), 4, d},
		{"to the lane's own address, from inside", to(lane, "10.0.0.11", lane4.String()), 4, a},
		{"to an address of nobody", to(lane, outsider, "203.0.113.177"), 4, d},
		{"from inside to a floating IP on its host", to(own, "10.0.0.21", f.addr["acme/a"].String()), 7, a},
		{"from itself to a floating IP on its host", to(own, "10.0.0.11", f.addr["acme/a"].String()), 7, a},
		{"from inside to a floating IP at the gateway", to(lane, "10.0.0.21", f.addr["acme/c"].String()), 7, c},
		{"from inside to an IPv6 address", to6("2001:db8:1::12", "2001:db8:1::21"), 7, d},
		{"to an address of source NAT that nobody asked", to(lane, outsider, snat), 6, d},
		{"to an address of source NAT, from inside", to(lane, "10.0.0.11", snat), 6, d},
		{"broadcast", to("ff:ff:ff:ff:ff:ff", outsider, "255.255.255.255"), 2, a},
		{"broadcast of the subnet to a floating IP's", to("ff:ff:ff:ff:ff:ff", outsider, f.addr["acme/a"].String()), 2, a},
		{"multicast", to("01:00:5e:00:00:09", outsider, "224.0.0.9"), 2, a},
		{"IPv6 multicast", routerAdvertisement(fields.with(func(f *frameFields) { f.dstMAC = "33:33:00:00:00:01" })), 2, a},
		{"neither IP nor ARP", otherFrame(fields, 0x88cc), 2, a},
		{"MPLS to a floating IP's MAC", otherFrame(fields.with(func(f *frameFields) { f.dstMAC = own }), 0x8847), 2, a},
		{"another tag", tagged(fields, layers.EthernetTypeDot1Q), 0, a},
		{"another tag to a floating IP's MAC", tagged(fields.with(func(f *frameFields) { f.dstMAC = own }), layers.EthernetTypeDot1Q), 0, a},
		{"a provider's tag", tagged(fields, layers.EthernetTypeQinQ), 0, a},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.at.Sniff()
			f.must(err)
			defer func() { _ = s.Close() }()
			f.countsAsDropped(t, evil, tt.frame, tt.table)
			tail := tt.frame[len(tt.frame)-12:]
			if got, err := s.Next(50*time.Millisecond, func(f []byte) bool { return bytes.Contains(f, tail) }); err == nil {
				t.Errorf("%s received %x", tt.at.id, got)
			}
		})
	}
	t.Run("addresses that are not ours are not answered for", func(t *testing.T) {
		s, err := lab.Sniff(evil)
		f.must(err)
		defer func() { _ = s.Close() }()
		for _, addr := range []string{"203.0.113.177", "10.0.0.11", "10.0.0.1", "203.0.113.0", "203.0.113.255"} {
			f.countsAsDropped(t, evil, askFrame(evil.MAC(), outsider, addr), 2)
		}
		for _, addr := range []string{"2001:db8:1::11", "2001:db8:1::1", "2001:db8:f::177", "fe80::1"} {
			f.countsAsDropped(t, evil, solicitFrame(fields, addr), 2)
		}
		answer := func(f []byte) bool {
			return bytes.Equal(f[:6], mac(evil.MAC())) && (f[12] == 8 && f[13] == 6 && f[21] == 2 || f[12] == 0x86 && len(f) > 54 && f[54] == 136)
		}
		if got, err := s.Next(50*time.Millisecond, answer); err == nil {
			t.Errorf("an answer came: %x", got)
		}
		// It would have been seen.
		f.must(lab.Send(evil, askFrame(evil.MAC(), outsider, f.addr["acme/a"].String())))
		if _, err := s.Next(5*time.Second, answer); err != nil {
			t.Errorf("our own address: %v", err)
		}
	})
}

// countsAsDropped sends a frame twenty times and waits until a table's flows have
// dropped as many.
func (e *edge) countsAsDropped(t *testing.T, from lab.Machine, frame []byte, table int) {
	t.Helper()
	const n = 20
	before, flaps := e.dropped(table), e.flaps()
	for range n {
		e.must(lab.Send(from, frame))
	}
	defer func() {
		if t.Failed() {
			t.Logf("hosts were taken for dead %d times", e.flaps()-flaps)
		}
	}()
	eventually(t, 5*time.Second, func() error {
		if got := e.dropped(table) - before; got < n {
			return errorf("table %d has dropped %d of %d packets", table, got, n)
		}
		return nil
	})
}

// askFrame is an ARP request.
func askFrame(srcMAC, src, target string) []byte {
	frame := arpReplyFrame(frameFields{srcMAC: srcMAC, dstMAC: "ff:ff:ff:ff:ff:ff", srcIP: src, dstIP: target}, srcMAC)
	frame[21] = byte(layers.ARPRequest)
	clear(frame[32:38])
	return frame
}

// solicitFrame is a neighbour solicitation.
func solicitFrame(f frameFields, target string) []byte {
	t := netip.MustParseAddr(target).As16()
	f.dstMAC = fmt.Sprintf("33:33:ff:%02x:%02x:%02x", t[13], t[14], t[15])
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], t[13:])
	f.dstIP6 = netip.AddrFrom16(group).String()
	body := append([]byte{0, 0, 0, 0}, t[:]...)
	return icmp6Frame(f, layers.ICMPv6TypeNeighborSolicitation, append(append(body, 1, 1), mac(f.srcMAC)...))
}

// capture collects what comes from us to a machine outside.
type capture struct {
	t      *testing.T
	stop   chan struct{}
	work   sync.WaitGroup
	frames [][]byte
}

func startCapture(t *testing.T, at *lab.Outside) *capture {
	t.Helper()
	s, err := lab.Sniff(at)
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{t: t, stop: make(chan struct{})}
	c.work.Go(func() {
		defer func() { _ = s.Close() }()
		for {
			select {
			case <-c.stop:
				return
			default:
			}
			// Machines outside have MACs that begin alike.
			if f, err := s.Next(50*time.Millisecond, func(f []byte) bool { return !bytes.HasPrefix(f[6:], []byte{0x06, 0xdd}) }); err == nil {
				c.frames = append(c.frames, f)
			}
		}
	})
	return c
}

// end returns the frames.
func (c *capture) end() [][]byte {
	close(c.stop)
	c.work.Wait()
	return c.frames
}

// insideAddresses says whether an address of a tenant's is anywhere in a frame where an
// outsider would see it.
func insideAddresses(frame []byte) bool {
	inside := netip.MustParsePrefix("10.0.0.0/8")
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	var found bool
	look := func(list ...net.IP) {
		for _, ip := range list {
			if a, ok := netip.AddrFromSlice(ip); ok && inside.Contains(a.Unmap()) {
				found = true
			}
		}
	}
	if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
		look(ip.SrcIP, ip.DstIP)
	}
	if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
		look(arp.SourceProtAddress, arp.DstProtAddress)
	}
	if q := quotedBy(p); q != nil {
		look(q.SrcIP, q.DstIP)
	}
	return found
}

// quotedBy is the packet that an ICMP error is about, or nil.
func quotedBy(p gopacket.Packet) *layers.IPv4 {
	icmp, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if !ok || !slices.Contains([]uint8{3, 11, 12}, icmp.TypeCode.Type()) {
		return nil
	}
	var q layers.IPv4
	if q.DecodeFromBytes(icmp.Payload, gopacket.NilDecodeFeedback) != nil && q.SrcIP == nil {
		return nil
	}
	return &q
}

// No packet leaves with an address inside, whatever endpoints send.
func TestNothingLeaksOutside(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	m := new(manifest)
	for i, name := range []string{"d", "e", "f"} {
		m.endpoint("acme", name, "blue", fmt.Sprintf("10.0.0.%d", 21+i))
	}
	f.api.apply(t, m.String())
	nodes := []*node{f.nodes["acme/a"], f.nodes["acme/b"], f.nodes["acme/c"]}
	for i, name := range []string{"d", "e", "f"} {
		nodes = append(nodes, f.attach("acme/"+name, fmt.Sprintf("h%d", i+1)))
		f.realized("acme/" + name)
	}
	snat := f.api.get(t, "/v1/tenants/acme/routers/core").Status.Gateways[0].Addresses[0]
	seenAs := func(n *node) netip.Addr {
		if a, ok := f.addr[n.id]; ok {
			return a
		}
		return snat
	}
	atRouter, atNear := startCapture(t, f.router), startCapture(t, f.near)
	s := f.serve(f.server, "tcp", serverAddr, 80)
	for _, n := range nodes {
		if err := f.tryPing(n, serverAddr); err != nil {
			t.Error(err)
		}
		f.seenAs(n, s.Addr(), s, seenAs(n))
		f.refused(t, n, netip.AddrPortFrom(serverAddr, 9), "a closed port")
		f.refused(t, n, netip.AddrPortFrom(nearAddr, 9), "a closed port of a neighbour")
		// The first answer tells the server how large the next ones may be.
		out := n.output("ping", "-c", "4", "-i", "0.2", "-W", "1", "-s", "4000", serverAddr.String())
		if contains(out, " 0 received") {
			t.Errorf("%s: a ping in fragments: %s", n.id, out)
		}
		out = n.output("ping", "-c", "1", "-W", "2", "-t", "2", serverAddr.String())
		if !contains(out, "Time to live exceeded") {
			t.Errorf("%s: a ping that does not get far: %s", n.id, out)
		}
		f.errorsAbout(t, n)
	}
	eventually(t, 5*time.Second, func() error {
		// Of four protocols without ports, one endpoint's can be told apart.
		if got := f.dropped(44); got < 8 {
			return errorf("%d packets that could not be translated are counted", got)
		}
		return nil
	})
	if w := f.api.get(t, "/v1/tenants/acme/routers/core").Status.Warnings; len(w) > 0 {
		t.Errorf("the router warns: %q", w)
	}
	// From outside to closed ports of floating IPs: the endpoint's error quotes the
	// floating IP, else the sender's kernel would not know whose it is.
	for _, n := range nodes[:3] {
		for _, from := range []lab.Machine{f.server, f.near} {
			f.refused(t, from, netip.AddrPortFrom(f.addr[n.id], 9), "a closed port of "+n.id)
		}
	}
	seen := append(atRouter.end(), atNear.end()...)
	if len(seen) < 100 {
		t.Errorf("only %d frames were captured", len(seen))
	}
	errs := 0
	for _, frame := range seen {
		if insideAddresses(frame) {
			t.Errorf("this leaked: %s", gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default))
		}
		if quotedBy(gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)) != nil {
			errs++
		}
	}
	t.Logf("%d frames, %d of them ICMP errors", len(seen), errs)
	if errs < 6 {
		t.Errorf("only %d ICMP errors were captured", errs)
	}
}

// refused sends datagrams to a port where nobody listens, until an ICMP error says so.
func (e *edge) refused(t *testing.T, from lab.Machine, to netip.AddrPort, what string) {
	t.Helper()
	c, err := lab.DialUDP(t.Context(), from, to, netip.AddrPort{})
	e.must(err)
	defer func() { _ = c.Close() }()
	for range 10 {
		_, _ = c.Write([]byte("hello"))
		e.must(c.SetReadDeadline(time.Now().Add(deadTime)))
		if _, err = c.Read(make([]byte, 16)); err != nil && strings.Contains(err.Error(), "refused") {
			return
		}
	}
	t.Errorf("%s says nothing to %s: %v", what, from.Namespace(), err)
}

// errorsAbout has an endpoint send what connection tracking cannot make sense of: ICMP
// errors about packets that never were, the middle of TCP connections, other protocols.
// None of it may pass with the address that it has.
func (f *floats) errorsAbout(t *testing.T, n *node) {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: mac(n.mac), DstMAC: mac(f.gatewayMAC(n)), EthernetType: layers.EthernetTypeIPv4}
	ip := func(proto layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: net.IP(n.inside().AsSlice()), DstIP: net.IP(serverAddr.AsSlice())}
	}
	back := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP(serverAddr.AsSlice()), DstIP: net.IP(n.inside().AsSlice())}
	udp := &layers.UDP{SrcPort: 53, DstPort: 4444}
	_ = udp.SetNetworkLayerForChecksum(back)
	quote := serialize(back, udp, gopacket.Payload("12345678"))
	for _, code := range []uint8{layers.ICMPv4CodePort, layers.ICMPv4CodeHost} {
		n.send(t, serialize(eth, ip(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, code)}, gopacket.Payload(quote)))
	}
	n.send(t, serialize(eth, ip(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(11, 0)}, gopacket.Payload(quote)))
	for _, tcp := range []*layers.TCP{{SrcPort: 5, DstPort: 6, ACK: true}, {SrcPort: 5, DstPort: 6, RST: true}, {SrcPort: 5, DstPort: 6, SYN: true, ACK: true}, {SrcPort: 5, DstPort: 6}} {
		h := ip(layers.IPProtocolTCP)
		_ = tcp.SetNetworkLayerForChecksum(h)
		n.send(t, serialize(eth, h, tcp, gopacket.Payload("out of the blue")))
	}
	for _, proto := range []layers.IPProtocol{layers.IPProtocolGRE, layers.IPProtocolSCTP, layers.IPProtocolESP, 253} {
		n.send(t, serialize(eth, ip(proto), gopacket.Payload(bytes.Repeat([]byte("other"), 10))))
	}
}

// gatewayMAC is the MAC that a node has learned of its gateway.
func (f *floats) gatewayMAC(n *node) string {
	out := n.output("ip", "neigh", "show", "10.0.0.1")
	_, rest, ok := strings.Cut(out, "lladdr ")
	if !ok {
		f.t.Fatalf("%s has not learned its gateway: %s", n.id, out)
	}
	return strings.Fields(rest)[0]
}
