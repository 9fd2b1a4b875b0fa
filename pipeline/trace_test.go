package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

func waitOFPort(t *testing.T, h *ovstest.Host, name, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if h.Vsctl("get", "interface", name, "ofport") == want {
			return
		}
	}
	t.Fatalf("port %s did not get OpenFlow port %s", name, want)
}

// Packets as `ofproto/trace` reads them, from the point of view of host 192.0.2.1.
const (
	web1Out = "in_port=10,dl_src=02:00:00:00:00:10,"
	toGW    = "dl_dst=0e:64:76:00:00:01,"
	toDB1   = "dl_dst=02:00:00:00:01:20,"
	toAll   = "dl_dst=ff:ff:ff:ff:ff:ff,"
	// From outside, and through the tunnel on the way there.
	inExt   = "in_port=61000,dl_vlan=100,dl_src=02:00:00:00:09:01,"
	inLink  = "in_port=50002,tun_id=16777211,tun_src=192.0.2.2,tun_dst=192.0.2.1,dl_src=02:00:00:00:09:01,"
	toLane  = "dl_dst=0e:00:00:00:00:01,"
	toFIP   = "dl_dst=02:39:e1:05:4e:0b,"
	leaving = "in_port=1,tun_id=5000,tun_src=192.0.2.2,tun_dst=192.0.2.1,"
	inTun   = "in_port=1,tun_id=4096,tun_src=192.0.2.2,tun_dst=192.0.2.1,"
)

// TestTraces asks a real switch what it does with packets. Each must show all
// texts of want, and none of not.
func TestTraces(t *testing.T) {
	h := exampleSwitch(t)
	const (
		toTunnel = "output:1\n"
		toWeb1   = "output:10\n"
		sendBack = "IN_PORT\n"
		toCtl    = "CONTROLLER:"
		spoofed  = "10. in_port=10, priority 100, " // the flow that drops and counts
		badND    = ", priority 240, "               // the same for neighbour discovery
	)
	const (
		toDB     = "tcp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=64,tcp_dst=5432"
		fromDB   = "tcp,nw_src=10.0.1.20,nw_dst=10.0.0.10,nw_ttl=64,tcp_src=5432"
		idsOut   = "in_port=22,dl_src=02:00:00:00:00:10," + toGW
		idsIn    = "in_port=21,dl_src=02:00:00:00:01:20," + toGW
		fw1Out   = "in_port=23,dl_src=02:00:00:00:00:23," + toGW
		inChain2 = "in_port=1,tun_src=192.0.2.2,tun_dst=192.0.2.1,"
	)
	tests := []struct {
		name, packet string
		want, not    []string
	}{
		{"unknown port", "in_port=99," + "dl_src=02:00:00:00:00:10," + toGW + "ip", []string{"drop"}, []string{"output", toCtl}},
		{"routed to another host", web1Out + toGW + "tcp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=64",
			[]string{"set_field:192.0.2.2->tun_dst", "move:NXM_NX_REG0[0..23]->NXM_NX_TUN_ID[0..23]", "set_field:02:00:00:00:01:20->eth_dst", "set_field:0e:64:76:00:00:01->eth_src", "dec_ttl", toTunnel}, nil},
		{"static route", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=10.9.8.7,nw_ttl=64",
			[]string{"set_field:02:00:00:00:01:20->eth_dst", toTunnel}, nil},
		{"spoofed MAC", "in_port=10,dl_src=02:00:00:00:00:66," + toGW + "ip,nw_src=10.0.0.10,nw_dst=10.0.1.20", []string{spoofed}, []string{"output", toCtl}},
		{"spoofed IPv4", web1Out + toGW + "ip,nw_src=10.0.0.66,nw_dst=10.0.1.20", []string{spoofed}, []string{"output", toCtl}},
		{"spoofed IPv6", web1Out + toGW + "ipv6,ipv6_src=fd00:1::66,ipv6_dst=fd00:1::10,nw_ttl=64", []string{spoofed}, []string{"output", toCtl}},
		{"spoofed ARP sender", web1Out + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:00:10,arp_spa=10.0.0.66,arp_tpa=10.0.0.1", []string{spoofed}, []string{"IN_PORT", toTunnel}},
		{"spoofed ARP hardware address", web1Out + toAll + "arp,arp_op=2,arp_sha=02:00:00:00:00:66,arp_spa=10.0.0.10,arp_tpa=10.0.0.1", []string{spoofed}, []string{"IN_PORT", toTunnel}},
		{"spoofed ND option", web1Out + "dl_dst=33:33:00:00:00:01,icmp6,icmpv6_type=136,icmpv6_code=0,ipv6_src=fd00:1::10,ipv6_dst=ff02::1,nd_target=fd00:1::10,nd_tll=02:00:00:00:00:66,nw_ttl=255", []string{badND}, []string{"output", toCtl}},
		{"extension headers that cannot be read", web1Out + toGW + "ipv6,ipv6_src=fd00:1::10,ipv6_dst=fd00:1::20,nw_ttl=0", nil, []string{"output", toCtl}},
		{"rogue router advertisement", web1Out + "dl_dst=33:33:00:00:00:01,icmp6,icmpv6_type=134,ipv6_src=fe80::ff:fe00:10,ipv6_dst=ff02::1,nw_ttl=255", nil, []string{"output", toCtl}},
		{"tagged frame", "in_port=10,dl_vlan=5,dl_src=02:00:00:00:00:10," + toGW + "ip,nw_src=10.0.0.10,nw_dst=10.0.1.20", nil, []string{"output", toCtl}},
		{"allowed address", web1Out + toGW + "ip,nw_src=10.0.0.100,nw_dst=10.0.1.20,nw_ttl=64", []string{toTunnel}, nil},
		{"ARP for the gateway", web1Out + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:00:10,arp_spa=10.0.0.10,arp_tpa=10.0.0.1",
			[]string{"set_field:0e:64:76:00:00:01->eth_dst", sendBack}, []string{toTunnel}},
		{"ARP for nobody", web1Out + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:00:10,arp_spa=10.0.0.10,arp_tpa=10.0.0.77", nil, []string{"IN_PORT", "output"}},
		{"ARP for a shared address", web1Out + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:00:10,arp_spa=10.0.0.10,arp_tpa=10.0.0.100", []string{toWeb1}, []string{"IN_PORT"}},
		{"ARP probe of its own address", web1Out + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:00:10,arp_spa=0.0.0.0,arp_tpa=10.0.0.10", nil, []string{"IN_PORT", "output"}},
		{"neighbour solicitation of the gateway", web1Out + "dl_dst=33:33:ff:00:00:01,icmp6,icmpv6_type=135,icmpv6_code=0,ipv6_src=fd00:1::10,ipv6_dst=ff02::1:ff00:1,nd_target=fd00:1::1,nd_sll=02:00:00:00:00:10,nw_ttl=255",
			[]string{"set_field:136->icmpv6_type", sendBack}, nil},
		{"echo to the gateway", web1Out + toGW + "icmp,nw_src=10.0.0.10,nw_dst=10.0.0.1,icmp_type=8,icmp_code=0,nw_ttl=64", []string{"set_field:0->icmp_type", sendBack}, nil},
		{"echo to the other gateway", web1Out + toGW + "icmp,nw_src=10.0.0.10,nw_dst=10.0.1.1,icmp_type=8,icmp_code=0,nw_ttl=64", []string{"set_field:0->icmp_type", sendBack}, nil},
		{"echo6 to the gateway", web1Out + toGW + "icmp6,ipv6_src=fd00:1::10,ipv6_dst=fd00:1::1,icmpv6_type=128,icmpv6_code=0,nw_ttl=64", []string{"set_field:129->icmpv6_type", sendBack}, nil},
		{"TTL runs out", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=1", []string{"set_field:0xb00->reg3", toCtl}, []string{toTunnel}},
		{"no route", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=198.18.0.1,nw_ttl=64", []string{"set_field:0x300->reg3", toCtl}, []string{toTunnel}},
		{"no such endpoint", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=10.0.1.77,nw_ttl=64", []string{"set_field:0x301->reg3", toCtl}, []string{toTunnel}},
		{"closed port of the gateway", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=10.0.0.1,nw_ttl=64", []string{"set_field:0x303->reg3", toCtl}, nil},
		{"no error about an error", web1Out + toGW + "icmp,nw_src=10.0.0.10,nw_dst=198.18.0.1,icmp_type=3,icmp_code=1,nw_ttl=64", nil, []string{toCtl}},
		{"other network without router MAC", web1Out + toDB1 + "tcp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=64", nil, []string{"output", toCtl}},
		{"unknown unicast", web1Out + "dl_dst=02:00:00:00:00:77,ip,nw_src=10.0.0.10,nw_dst=10.0.0.77", nil, []string{"output"}},
		{"from the tunnel", inTun + "dl_src=02:00:00:00:00:11,dl_dst=02:00:00:00:00:10,ip,nw_src=10.0.0.11,nw_dst=10.0.0.10", []string{toWeb1}, nil},
		{"from the tunnel, broadcast", inTun + "dl_src=02:00:00:00:00:11," + toAll + "ip,nw_src=10.0.0.11,nw_dst=10.0.0.255", []string{toWeb1}, []string{toTunnel}},
		{"from the tunnel, other network", strings.Replace(inTun, "4096", "4097", 1) + "dl_dst=02:00:00:00:00:10,ip", nil, []string{"output"}},
		{"from the tunnel back into it", strings.Replace(inTun, "4096", "4097", 1) + toDB1 + "ip", nil, []string{"output"}},
		{"from our own address", strings.Replace(inTun, "192.0.2.2", "192.0.2.1", 1) + "dl_dst=02:00:00:00:00:10,ip", nil, []string{"output"}},
		{"floating IP leaves here", web1Out + toGW + "tcp,nw_src=10.0.0.10,nw_dst=198.51.100.1,nw_ttl=64",
			[]string{"set_field:203.0.113.20->ip_src", "set_field:02:39:e1:05:4e:0b->eth_src", "set_field:02:00:00:00:09:01->eth_dst", "push_vlan", "output:61000"}, []string{toTunnel}},
		{"floating IP, unknown neighbour", web1Out + toGW + "tcp,nw_src=10.0.0.10,nw_dst=203.0.113.77,nw_ttl=64", []string{"set_field:0x1->reg15", toCtl}, []string{"output"}},
		{"floating IP, broadcast address outside", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=203.0.113.255,nw_ttl=64", nil, []string{"output", toCtl}},
		{"floating IP reached", inExt + toFIP + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.20,nw_ttl=64", []string{"pop_vlan", "set_field:10.0.0.10->ip_dst", toWeb1}, []string{toTunnel}},
		{"floating IP, too large", inExt + toFIP + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.20,nw_ttl=64", []string{"set_field:0x5aa0304->reg3", "check_pkt_larger(1464)", toCtl}, nil},
		{"floating IP, TTL runs out", inExt + toFIP + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.20,nw_ttl=1", []string{"set_field:0xb00->reg3", "meter:7", toCtl}, []string{toWeb1}},
		{"floating IP, source from inside", inExt + toFIP + "tcp,nw_src=10.0.0.9,nw_dst=203.0.113.20,nw_ttl=64", []string{"nw_src=10.0.0.0/24, priority 900"}, []string{"output"}},
		{"floating IP, source behind a router inside", inExt + toFIP + "tcp,nw_src=10.9.1.1,nw_dst=203.0.113.20,nw_ttl=64", []string{"nw_src=10.9.0.0/16, priority 132"}, []string{"output"}},
		{"floating IP, source is a service's address inside", inExt + toFIP + "udp,nw_src=172.30.0.53,nw_dst=203.0.113.20,udp_src=53,nw_ttl=64", []string{"nw_src=172.30.0.53, priority 900"}, []string{"output"}},
		{"floating IP, source that no router forwards", inExt + toFIP + "udp,nw_src=169.254.169.254,nw_dst=203.0.113.20,udp_src=53,nw_ttl=64", []string{"nw_src=169.254.0.0/16, priority 1000"}, []string{"output"}},
		{"routed network, link-local source", inExt + toLane + "tcp6,ipv6_src=fe80::11,ipv6_dst=fd00:1::10,nw_ttl=64", []string{"ipv6_src=fe80::/10, priority 1000"}, []string{"output"}},
		{"floating IP, another address", inExt + toFIP + "tcp,nw_src=198.51.100.1,nw_dst=10.0.0.10,nw_ttl=64", []string{" 4. reg0=0x1000001, priority 1,"}, []string{"output"}},
		{"ARP for a floating IP", inExt + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:09:01,arp_spa=203.0.113.1,arp_tpa=203.0.113.20", []string{"set_field:2->arp_op", "push_vlan", "output:61000"}, nil},
		{"ARP for a lane", inExt + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:09:01,arp_spa=203.0.113.1,arp_tpa=203.0.113.2", []string{"set_field:0e:00:00:00:00:01->eth_dst", "output:61000"}, nil},
		{"ARP for somebody else", inExt + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:09:02,arp_spa=203.0.113.3,arp_tpa=203.0.113.4", []string{" 2. reg0=0x1000001, priority 1,"}, []string{"output", toCtl}},
		{"a neighbour's new MAC", inExt + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:09:66,arp_spa=203.0.113.1,arp_tpa=203.0.113.1", []string{"set_field:0x2->reg15", "meter:3", toCtl}, []string{"output"}},
		{"neighbour solicitation of a lane", inExt + "dl_dst=33:33:ff:00:00:02,icmp6,icmpv6_type=135,icmpv6_code=0,ipv6_src=2001:db8:f::1,ipv6_dst=ff02::1:ff00:2,nd_target=2001:db8:f::2,nd_sll=02:00:00:00:09:01,nw_ttl=255",
			[]string{"set_field:136->icmpv6_type", "output:61000"}, nil},
		{"neighbour solicitation that a router passed on", inExt + toLane + "icmp6,icmpv6_type=135,icmpv6_code=0,ipv6_src=2001:db8:99::1,ipv6_dst=2001:db8:f::2,nd_target=2001:db8:f::2,nd_sll=02:00:00:00:09:01,nw_ttl=64", nil, []string{"output", toCtl}},
		{"neighbour advertisement that a router passed on", inExt + toLane + "icmp6,icmpv6_type=136,icmpv6_code=0,ipv6_src=2001:db8:99::1,ipv6_dst=2001:db8:f::2,nd_target=2001:db8:f::1,nd_tll=02:00:00:00:09:66,nw_ttl=64", nil, []string{"output", toCtl}},
		{"neighbour advertisement for a lane", inExt + toLane + "icmp6,icmpv6_type=136,icmpv6_code=0,ipv6_src=2001:db8:f::1,ipv6_dst=2001:db8:f::2,nd_target=2001:db8:f::1,nd_tll=02:00:00:00:09:01,nw_ttl=255", []string{"meter:3", toCtl}, nil},
		{"echo to a lane", inExt + toLane + "icmp,nw_src=203.0.113.1,nw_dst=203.0.113.2,icmp_type=8,icmp_code=0,nw_ttl=1", []string{"set_field:0->icmp_type", "output:61000"}, nil},
		{"echo6 to a lane", inExt + toLane + "icmp6,ipv6_src=2001:db8:f::1,ipv6_dst=2001:db8:f::2,icmpv6_type=128,icmpv6_code=0,nw_ttl=64", []string{"set_field:129->icmpv6_type", "output:61000"}, nil},
		{"source NAT", leaving + "tcp,nw_src=10.0.0.11,nw_dst=198.51.100.1,nw_ttl=63",
			[]string{"ct(commit,table=44,zone=7,nat(src=203.0.113.10))", "set_field:0e:00:00:00:00:01->eth_src", "output:61000"}, nil},
		{"source NAT, an answer", "trk,est " + inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.10,nw_ttl=64", []string{"ct(table=6,zone=7,nat)", " 7. reg1=0x1, priority 100", "7. reg1=0x1, priority 100"}, nil},
		{"source NAT, not known here", "trk,new " + inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.10,nw_ttl=64", []string{"set_field:0xfffffb->tun_id", toTunnel}, nil},
		{"source NAT, BFD that nobody asked for", "trk,new " + inExt + toLane + "udp,nw_src=203.0.113.1,nw_dst=203.0.113.10,nw_ttl=255,udp_dst=3784", []string{" 6. udp,tp_dst=3784, priority 45"}, []string{"output"}},
		{"source NAT, known nowhere", "trk,new " + inLink + toLane + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.10,nw_ttl=64", []string{"set_field:0x5->reg15", toCtl}, []string{toTunnel}},
		{"routed network leaves", leaving + "tcp,nw_src=10.0.1.20,nw_dst=198.51.100.1,nw_ttl=63", []string{"output:61000"}, []string{"ct("}},
		{"routed network reached", inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=10.0.1.20,nw_ttl=64", []string{"set_field:02:00:00:00:01:20->eth_dst", "set_field:192.0.2.2->tun_dst", toTunnel}, nil},
		{"routed network, nobody there", inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=10.0.1.77,nw_ttl=64", []string{"set_field:0x301->reg3", toCtl}, []string{toTunnel}},
		{"IPv6 leaves as it is", leaving + "tcp6,ipv6_src=fd00:1::10,ipv6_dst=2001:db8:f::9,nw_ttl=63", []string{"set_field:0x1->reg15", toCtl}, []string{"ct("}},
		{"IPv6 of nobody does not leave", leaving + "tcp6,ipv6_src=fd00:9::10,ipv6_dst=2001:db8:f::9,nw_ttl=63", []string{"43. reg0=0x1388, priority 1,"}, []string{"output", toCtl}},
		{"IPv6 reached", inExt + toLane + "tcp6,ipv6_src=2001:db8:f::9,ipv6_dst=fd00:1::10,nw_ttl=63", []string{toWeb1}, nil},
		{"echo to the router from outside", inExt + toLane + "icmp,nw_src=198.51.100.1,nw_dst=10.0.1.1,icmp_type=8,icmp_code=0,nw_ttl=64", []string{"set_field:0->icmp_type", "push_vlan", "output:61000"}, []string{sendBack, "set_field:0e:64:76:00:00:01->eth_src"}},
		{"echo6 to the router from outside", inExt + toLane + "icmp6,ipv6_src=2001:db8:f::9,ipv6_dst=fd00:1::1,icmpv6_type=128,icmpv6_code=0,nw_ttl=64", []string{"set_field:129->icmpv6_type", "push_vlan", "output:61000"}, []string{sendBack}},
		{"a translated network is not reached", inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=10.0.0.10,nw_ttl=64", []string{" 4. reg0=0x1000001, priority 1,"}, []string{"output", toCtl}},
		{"a service", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=172.30.0.53,udp_dst=53,nw_ttl=64", []string{"set_field:10.0.0.53->ip_dst"}, nil},
		{"another port of a service", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=172.30.0.53,udp_dst=54,nw_ttl=64", []string{"set_field:0x300->reg3"}, []string{"set_field:10.0.0.53->ip_dst"}},
		{"a port from where it may not begin", "trk,new " + inExt + toLane + "tcp,nw_src=198.18.0.1,nw_dst=203.0.113.21,tcp_dst=5432,nw_ttl=64", []string{" 6. reg2=0x80/0x80, priority 140"}, []string{"output"}},
		{"a port, what answers its endpoint", "trk,est " + inExt + toLane + "tcp,nw_src=198.18.0.1,nw_dst=203.0.113.21,tcp_dst=5432,nw_ttl=64", []string{" 6. ct_state=+est+trk,reg2=0x80/0x80, priority 150", "nw_dst=10.0.1.20"}, nil},
		{"a port from where it may", inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=203.0.113.21,tcp_dst=5432,nw_ttl=64", []string{"set_field:5433->tcp_dst", "set_field:02:00:00:00:01:20->eth_dst", toTunnel}, []string{"ct("}},
		{"an untagged frame from outside", "in_port=61000,dl_src=02:00:00:00:09:01," + toLane + "icmp,nw_src=203.0.113.1,nw_dst=203.0.113.2,icmp_type=8,icmp_code=0", nil, []string{"output"}},
		{"from a floating IP here to one at the gateway", web1Out + toGW + "tcp,nw_src=10.0.0.10,nw_dst=203.0.113.2,nw_ttl=64", []string{"dl_dst=0e:00:00:00:00:01", " 2. "}, []string{"output:61000"}},
		{"BFD to a lane", web1Out + toGW + "udp,nw_src=10.0.0.10,nw_dst=203.0.113.2,udp_dst=3784,nw_ttl=64", []string{"54. udp,reg0=0x1000001,dl_dst=0e:00:00:00:00:01,tp_dst=3784, priority 110"}, []string{"output"}},
		{"tick", "in_port=63000,dl_src=02:00:00:00:00:99,dl_dst=01:80:c2:00:00:30,dl_type=0x8902", []string{"set_field:0e:00:00:00:00:01->eth_src", "output:61000"}, nil},
		{"chain, first hop here", web1Out + toGW + "tcp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=64,tcp_dst=5433",
			[]string{"load:0xc00420->OXM_OF_METADATA[0..23]", "ct(commit,zone=8,exec(move:NXM_NX_REG5[0..7]->NXM_NX_CT_LABEL[0..7]))", "113. ", "output:21"}, []string{toTunnel, "dec_ttl"}},
		{"chain, another port", web1Out + toGW + "tcp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=64,tcp_dst=5434", []string{toTunnel}, []string{"OXM_OF_METADATA[0..23]", "output:21"}},
		{"chain, to the second hop", idsOut + toDB, []string{"load:0xc00440->OXM_OF_METADATA[0..23]", "ct(table=101,zone=8)", "group:536871200"}, []string{"output:23"}},
		{"chain, the second hop is known", "trk,est " + idsOut + toDB, []string{"move:NXM_NX_CT_LABEL[8..15]->NXM_NX_REG5[0..7]", "set_field:0->reg5", "group:536871200"}, nil},
		{"chain, back from the last hop", fw1Out + fromDB, []string{"load:0xc00520->OXM_OF_METADATA[0..23]", "output:22"}, []string{toTunnel}},
		{"chain, a copy, and then its end", fw1Out + toDB, []string{"group:536871332", "load:0xc00400->OXM_OF_METADATA[0..23]", "set_field:02:00:00:00:01:20->eth_dst", "set_field:192.0.2.2->tun_dst", "move:OXM_OF_METADATA[0..23]->NXM_NX_TUN_ID[0..23]", toTunnel}, nil},
		{"chain, back at its beginning", idsIn + fromDB, []string{"load:0xc00500->OXM_OF_METADATA[0..23]", "set_field:02:00:00:00:00:10->eth_dst", toWeb1}, []string{toTunnel}},
		{"chain, from another host", inChain2 + "tun_id=0xc00441," + toDB, []string{"set_field:0x1->reg7", "move:NXM_NX_REG5[0..7]->NXM_NX_CT_LABEL[8..15],move:NXM_NX_REG6[0..7]->NXM_NX_CT_LABEL[120..127]))", "set_field:02:00:00:00:00:23->eth_dst", "output:23"}, nil},
		{"chain, from another host for whom it may concern", inChain2 + "tun_id=0xc00440," + toDB, []string{"group:536871202"}, nil},
		{"chain, from another host for an instance that is not here", inChain2 + "tun_id=0xc00442," + toDB, []string{"load:0x1->NXM_NX_REG2[11]", "group:536871170"}, []string{"output:23"}},
		{"chain, back from another host", inChain2 + "tun_id=0xc00521," + fromDB, []string{"set_field:0x2->reg7", "move:NXM_NX_REG7[0..7]->NXM_NX_CT_LABEL[8..15]", "output:22"}, nil},
		{"chain, back to the host of its source", inChain2 + "tun_id=0xc00501," + "dl_src=0e:64:76:00:00:01,dl_dst=02:00:00:00:00:10," + fromDB, []string{"NXM_NX_REG7[0..4] is now 0x1", "ct(commit,zone=8,exec(move:NXM_NX_REG7[0..7]->NXM_NX_CT_LABEL[0..7]))", "NXM_NX_REG0[0..23] is now 0x1000", toWeb1}, []string{toTunnel}},
		{"chain that this host does not know", inChain2 + "tun_id=0xc00840," + toDB, nil, []string{"output", toCtl}},
		{"an instance as itself", "in_port=23,dl_src=02:00:00:00:00:23," + toGW + "tcp,nw_src=10.0.0.23,nw_dst=10.0.1.20,nw_ttl=64,tcp_dst=5432", []string{"load:0x1->NXM_NX_REG2[10]", toTunnel}, []string{"OXM_OF_METADATA[0..23]", "output:21"}},
		{"an instance that spoofs what no chain leads to it", fw1Out + "udp,nw_src=10.0.0.10,nw_dst=10.0.1.20,nw_ttl=64", []string{" 8. No match"}, []string{"output", toCtl}},
		{"a bridge that passes a broadcast on", "in_port=22,dl_src=02:00:00:00:00:10," + toAll + "ip,nw_src=10.0.0.10,nw_dst=255.255.255.255", []string{"priority 220"}, []string{"output", toCtl}},
		{"tunnel probe", "in_port=1,tun_id=0,tun_src=192.0.2.2,tun_dst=192.0.2.1,dl_type=0x88b5", []string{toCtl}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"ofproto/trace", "br-int", tt.packet}
			if state, packet, ok := strings.Cut(tt.packet, " "); ok {
				args = []string{"ofproto/trace", "br-int", packet, "--ct-next", state}
			}
			got := h.Appctl(args...) + "\n"
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("no %q in\n%s", w, got)
				}
			}
			for _, n := range tt.not {
				if strings.Contains(got, n) {
					t.Errorf("%q in\n%s", n, got)
				}
			}
		})
	}
}
