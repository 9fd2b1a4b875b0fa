package openflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// install gives the switch flows and groups.
func (c *client) install(groups []Group, flows ...Flow) {
	c.t.Helper()
	for _, g := range groups {
		e, err := EncodeGroup(g)
		if err != nil {
			c.t.Fatal(err)
		}
		c.must(e.Add)
	}
	for _, f := range flows {
		c.must(mustEncode(c.t, f).Add)
	}
}

// receive has a port receive a packet with Ethernet and what is given, in the
// syntax of the datapath's flows, and perhaps a length.
func (v *vswitch) receive(port, packet string, length ...string) {
	v.t.Helper()
	packet = "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)," + packet
	v.appctl(append([]string{"netdev-dummy/receive", port, packet}, length...)...)
	time.Sleep(20 * time.Millisecond) // a port receives when it comes to it
}

func udp4(src string, sport int, dst string, dport int) string {
	return fmt.Sprintf("eth_type(0x0800),ipv4(src=%s,dst=%s,proto=17,tos=0,ttl=64,frag=no),udp(src=%d,dst=%d)", src, dst, sport, dport)
}

func udp6(src string, sport int, dst string, dport int) string {
	return fmt.Sprintf("eth_type(0x86dd),ipv6(src=%s,dst=%s,label=0,proto=17,tclass=0,hlimit=64,frag=no),udp(src=%d,dst=%d)", src, dst, sport, dport)
}

// expectHits waits until the counters of flows, but for those of table 0, are so.
func (v *vswitch) expectHits(c *client, want ...string) {
	v.t.Helper()
	var diff string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		v.appctl("revalidator/purge") // brings the counters up to date
		if diff = cmp.Diff(want, c.hits()); diff == "" {
			return
		}
	}
	v.t.Errorf("flows that were hit (-want +got):\n%s%s", diff, v.appctl("dpctl/dump-conntrack"))
}

func (c *client) hits() []string {
	c.t.Helper()
	var hits []string
	for _, s := range c.flows() {
		if s.Packets > 0 && s.ID.Table > 0 {
			hits = append(hits, fmt.Sprintf("table %d, priority %d: %d", s.ID.Table, s.ID.Priority, s.Packets))
		}
	}
	slices.Sort(hits)
	return hits
}

// TestPackets sends packets through a datapath. The flows of table 0 do something to
// them, and those of the next tables see what it was; any other packet is counted by
// a flow of priority 0.
func TestPackets(t *testing.T) {
	const trk, est, rpl, isNew, snat, dnat = 0x20, 0x02, 0x08, 0x01, 0x40, 0x80
	udp := IPProto.Uint(17)
	in, out := InPort.Uint(1), InPort.Uint(2)
	type packet struct{ port, packet string }
	for _, test := range []struct {
		name    string
		flows   []Flow
		packets []packet
		want    []string
	}{
		{"source NAT in the zone of a register",
			[]Flow{
				{Match: Match{v4, in}, Actions: []Action{Load{5, Reg0, 16, 16}, CT{Commit: true, Table: 1, ZoneField: Reg0, ZoneOfs: 16, Mark: CTMark.UintMask(7, 0xff),
					NAT: NAT{Kind: NATSource, Min: ip("192.0.2.1"), PortMin: 5000}}}},
				{Match: Match{v4, out}, Actions: []Action{CT{Table: 2, Zone: 5, NAT: NAT{Kind: NATKnown}}}},
				{Table: 1, Priority: 10, Match: Match{v4, udp, CTState.UintMask(trk|isNew|snat, 0xff), CTZone.Uint(5), CTMark.Uint(7), IPv4Src.Addr(ip("192.0.2.1")), UDPSrc.Uint(5000)}},
				{Table: 2, Priority: 10, Match: Match{v4, udp, CTState.UintMask(trk|est|rpl, trk|est|rpl|isNew), CTMark.UintMask(7, 0xff), IPv4Dst.Addr(ip("10.0.0.1")), UDPDst.Uint(1234)},
					Actions: []Action{CTClear{}, Resubmit{3}}},
				{Table: 3, Priority: 10, Match: Match{CTState.UintMask(0, trk), CTMark.Uint(0)}},
			},
			[]packet{{"p1", udp4("10.0.0.1", 1234, "198.51.100.9", 53)}, {"p2", udp4("198.51.100.9", 53, "192.0.2.1", 5000)}},
			[]string{"table 1, priority 10: 1", "table 2, priority 10: 1", "table 3, priority 10: 1"}},
		{"destination NAT",
			[]Flow{
				{Match: Match{v4, out}, Actions: []Action{CT{Commit: true, Table: 1, NAT: NAT{NATDest, ip("10.0.0.1"), ip("10.0.0.1"), 80, 80}}}},
				{Match: Match{v4, in}, Actions: []Action{CT{Table: 2, NAT: NAT{Kind: NATKnown}}}},
				{Table: 1, Priority: 10, Match: Match{v4, udp, CTState.UintMask(trk|dnat, trk|dnat), IPv4Dst.Addr(ip("10.0.0.1")), UDPDst.Uint(80)}},
				{Table: 2, Priority: 10, Match: Match{v4, udp, IPv4Src.Addr(ip("192.0.2.9")), UDPSrc.Uint(8080)}},
			},
			[]packet{{"p2", udp4("198.51.100.9", 1000, "192.0.2.9", 8080)}, {"p1", udp4("10.0.0.1", 80, "198.51.100.9", 1000)}},
			[]string{"table 1, priority 10: 1", "table 2, priority 10: 1"}},
		{"IPv6 NAT to a range",
			[]Flow{
				{Match: Match{v6, in}, Actions: []Action{CT{Commit: true, Force: true, Table: 1, NAT: NAT{NATSource, ip("2001:db8::8"), ip("2001:db8::f"), 4096, 8191}}}},
				{Table: 1, Priority: 10, Match: Match{v6, udp, IPv6Src.Prefix(cidr("2001:db8::8/125")), UDPSrc.UintMask(0x1000, 0xf000)}},
			},
			[]packet{{"p1", udp6("fd00::1", 1234, "2001:db8:1::1", 53)}},
			[]string{"table 1, priority 10: 1"}},
		{"tag",
			[]Flow{
				{Match: Match{in}, Actions: []Action{PushVLAN{}, SetField{VLANVID.Uint(0x1005)}, SetField{VLANPCP.Uint(3)}, Resubmit{1}, PopVLAN{}, Resubmit{2}}},
				{Match: Match{out, VLANVID.Uint(0x1007)}, Actions: []Action{PopVLAN{}, Resubmit{2}}},
				{Table: 1, Priority: 10, Match: Match{VLANVID.Uint(0x1005), VLANPCP.Uint(3)}},
				{Table: 2, Priority: 10, Match: Match{VLANVID.Uint(0), v4}},
			},
			[]packet{{"p1", udp4("10.0.0.1", 1, "10.0.0.2", 2)}, {"p2", "eth_type(0x8100),vlan(vid=7,pcp=0),encap(" + udp4("10.0.0.1", 1, "10.0.0.2", 2) + ")"}},
			[]string{"table 1, priority 10: 1", "table 2, priority 10: 2"}},
		{"buckets",
			[]Flow{
				{Match: Match{v4, in}, Actions: []Action{ToGroup{1}}},
				{Table: 1, Priority: 10, Match: Match{v4, udp, CTState.UintMask(trk, trk), CTMark.Uint(1), IPv4Dst.Addr(ip("10.0.0.8")), UDPDst.Uint(80)}},
				{Table: 2, Priority: 10, Match: Match{Reg1.Uint(6)}},
			},
			[]packet{{"p1", udp4("10.0.0.1", 1, "192.0.2.9", 8080)}},
			[]string{"table 1, priority 10: 1", "table 2, priority 10: 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := startOVS(t)
			c := v.connect()
			c.install([]Group{{ID: 1, Buckets: []Bucket{
				{Actions: []Action{CT{Commit: true, Table: 1, Zone: 9, NAT: NAT{Kind: NATDest, Min: ip("10.0.0.8"), PortMin: 80}, Mark: CTMark.Uint(1)}}},
				{Actions: []Action{SetField{Reg1.Uint(6)}, Resubmit{2}}},
				{},
			}}}, test.flows...)
			for table := range uint8(4) {
				c.install(nil, Flow{Table: table})
			}
			for _, p := range test.packets {
				v.receive(p.port, p.packet)
			}
			v.expectHits(c, test.want...)
		})
	}
}

// TestPacketLength counts what leaves by each port: in the counters of flows a packet
// is counted on both sides of a check_pkt_larger.
func TestPacketLength(t *testing.T) {
	v := startOVS(t)
	v.connect().install(nil,
		Flow{Actions: []Action{CheckPktLarger{200, Reg2, 3}, Resubmit{1}}},
		Flow{Table: 1, Match: Match{Reg2.UintMask(8, 8)}, Actions: []Action{Output{2}}},
		Flow{Table: 1, Match: Match{Reg2.Uint(0)}, Actions: []Action{Output{PortLocal}}},
	)
	for _, length := range []string{"150", "200", "201", "1400", "1500"} {
		v.receive("p1", udp4("10.0.0.1", 1, "10.0.0.2", 2), "--len", length)
	}
	sent := func(port string) string {
		_, tx, _ := strings.Cut(v.ofctl("dump-ports", "br0", port), "tx pkts=")
		n, _, _ := strings.Cut(tx, ",")
		return n
	}
	for deadline := time.Now().Add(10 * time.Second); sent("2") != "3" || sent("LOCAL") != "2"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s longer packets and %s others, want 3 and 2", sent("2"), sent("LOCAL"))
		}
	}
}

// TestBackToInPort: no packet goes out where it came in, unless in_port says that it
// came from elsewhere.
func TestBackToInPort(t *testing.T) {
	v := startOVS(t)
	both := []Action{Output{1}, Output{2}}
	v.connect().install(nil,
		Flow{Match: Match{v4, IPv4Src.Addr(ip("10.0.0.1"))}, Actions: both},
		Flow{Match: Match{v4, IPv4Src.Addr(ip("10.0.0.2"))}, Actions: append([]Action{Load{0, InPort, 0, 32}}, both...)},
		Flow{Match: Match{v4, IPv4Src.Addr(ip("10.0.0.3"))}, Actions: append([]Action{Load{uint64(PortAny), InPort, 0, 32}}, both...)},
		Flow{Match: Match{v4, IPv4Src.Addr(ip("10.0.0.4"))}, Actions: append([]Action{Load{2, Reg1, 0, 32}, Move{Src: Reg1, Dst: InPort, NBits: 32}}, both...)},
		Flow{Match: Match{v4, IPv4Src.Addr(ip("10.0.0.5"))}, Actions: []Action{Load{0, InPort, 0, 32}, CT{Table: 1}}}, // also after a ct
		Flow{Table: 1, Match: Match{InPort.Uint(0)}, Actions: both},
	)
	for last, want := range map[int]string{1: "2", 2: "1,2", 3: "1,2", 4: "1", 5: "1,2"} {
		if got := v.datapathActions(fmt.Sprintf("in_port=1,udp,nw_src=10.0.0.%d,nw_ttl=64", last)); got != want {
			t.Errorf("10.0.0.%d: the datapath's actions are %s, want %s", last, got, want)
		}
	}
}

// datapathActions is what finally happens to a packet, by ofproto/trace.
func (v *vswitch) datapathActions(packet string) string {
	v.t.Helper()
	trace := v.appctl("ofproto/trace", "br0", packet)
	i := strings.LastIndex(trace, "Datapath actions: ")
	if i < 0 {
		v.t.Fatalf("no actions in %s", trace)
	}
	_, actions, _ := strings.Cut(trace[i:], ": ")
	return strings.TrimSpace(actions)
}

// TestWatchPorts: a bucket is used only while its port is up.
func TestWatchPorts(t *testing.T) {
	v := startOVS(t)
	v.vsctl("add-port", "br0", "p3", "--", "set", "interface", "p3", "type=dummy", "ofport_request=3")
	c := v.connect()
	c.install([]Group{
		{ID: 1, Type: GroupFastFailover, Buckets: []Bucket{
			{WatchPort: 9, Actions: []Action{Output{3}}}, // there is no such port
			{WatchPort: 1, Actions: []Action{Resubmit{1}}},
			{WatchPort: 2},
			{WatchPort: 3, Actions: []Action{Output{3}}}}},
		{ID: 2, Type: GroupSelect, Buckets: []Bucket{
			{Weight: 1, WatchPort: 1, Actions: []Action{SetField{Reg0.Uint(1)}, Resubmit{2}}},
			{Weight: 0, WatchPort: 3, Actions: []Action{SetField{Reg0.Uint(3)}, Resubmit{2}}},
			{Weight: 1, WatchPort: 2, Actions: []Action{CT{Commit: true, Table: 2, Mark: CTMark.Uint(2)}}}}},
	},
		Flow{Match: Match{InPort.Uint(uint64(PortLocal))}, Actions: []Action{ToGroup{1}}},
		Flow{Match: Match{InPort.Uint(3)}, Actions: []Action{ToGroup{2}}},
		Flow{Table: 1, Actions: []Action{Output{1}}},
		Flow{Table: 2, Priority: 1, Match: Match{Reg0.Uint(1)}},
		Flow{Table: 2, Priority: 2, Match: Match{CTMark.Uint(2)}},
		Flow{Table: 2, Priority: 3, Match: Match{Reg0.Uint(3)}},
	)
	failover := func(when, want string) {
		t.Helper()
		var got string
		for range 200 { // the state of a port is noticed a little later
			if got = v.datapathActions("in_port=LOCAL"); got == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("%s: the datapath's actions are %s, want %s", when, got, want)
	}
	choose := func(want ...string) {
		t.Helper()
		for port := range 4 {
			v.receive("p3", udp4("10.0.0.1", 1000+port, "10.0.0.2", 53))
		}
		v.expectHits(c, want...)
	}
	state := func(port, state string) { v.appctl("netdev-dummy/set-admin-state", port, state) }

	failover("all up", "1")
	state("p1", "down")
	failover("port 1 down", "drop")
	choose("table 2, priority 2: 4")
	state("p2", "down")
	failover("ports 1 and 2 down", "3")
	choose("table 2, priority 2: 4") // none is left: the bucket without weight is not used
	state("p1", "up")
	failover("port 1 up again", "1")
	choose("table 2, priority 1: 4", "table 2, priority 2: 4")
}
