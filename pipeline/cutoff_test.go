package pipeline

import (
	"slices"
	"strings"
	"testing"
)

// A gateway host shows that it lives, answers for its lanes, and lets its endpoints leave,
// while it hears another host; none of that when it hears nobody. While another host
// stands in for it, it only says that it is here. What comes to a lane's MAC it takes in
// always.
func TestAHostThatIsCutOffIsSilent(t *testing.T) {
	h := exampleSwitch(t)
	packets := map[string]string{
		"tick":            "in_port=63000,dl_src=02:00:00:00:00:99,dl_dst=01:80:c2:00:00:30,dl_type=0x8902",
		"presence":        "in_port=1,tun_id=16777212,tun_src=192.0.2.2,tun_dst=192.0.2.1,udp,udp_dst=3784,nw_ttl=255",
		"stand-in":        "in_port=1,tun_id=16777214,tun_src=192.0.2.2,tun_dst=192.0.2.1,udp,udp_dst=3784,nw_ttl=255",
		"link":            "in_port=1,tun_id=0,tun_src=192.0.2.3,tun_dst=192.0.2.1,udp,udp_dst=3784,nw_ttl=255",
		"ARP for a lane":  inExt + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:09:01,arp_spa=203.0.113.1,arp_tpa=203.0.113.2",
		"for an endpoint": inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=10.0.1.20,nw_ttl=64",
		"to the outside":  web1Out + toGW + "tcp6,ipv6_src=fd00:1::10,ipv6_dst=2001:db8:f::9,nw_ttl=64",
	}
	for _, c := range []struct {
		presence2, witness, standIn2 string
		silent                       []string
		tick, viaPeer                bool // whether ticks go to everybody; which way what leaves goes
	}{
		{"up", "up", "down", []string{"stand-in"}, false, false},
		{"up", "down", "down", []string{"stand-in"}, false, false},
		{"down", "up", "down", nil, true, false},
		// The peer stands in for it, until it knows that it is here.
		{"up", "up", "up", []string{"stand-in", "link", "ARP for a lane"}, false, true},
		{"down", "down", "up", []string{"tick", "stand-in", "link", "ARP for a lane"}, false, true},
		{"down", "down", "down", []string{"tick", "stand-in", "link", "ARP for a lane", "to the outside"}, false, false},
	} {
		h.Ofctl("mod-port", "br-int", "presence2", c.presence2)
		h.Ofctl("mod-port", "br-int", "link3", c.witness)
		h.Ofctl("mod-port", "br-int", "standin2", c.standIn2)
		for name, packet := range packets {
			trace := h.Appctl("ofproto/trace", "br-int", packet)
			_, result, _ := strings.Cut(trace, "Datapath actions:")
			if dropped := strings.TrimSpace(result) == "drop"; dropped != slices.Contains(c.silent, name) {
				t.Errorf("%+v: %s: %s", c, name, strings.TrimSpace(result))
			}
			if name == "to the outside" && strings.Contains(trace, "set_field:192.0.2.2->tun_dst") != c.viaPeer {
				t.Errorf("%+v: %s:\n%s", c, name, trace)
			}
			if name == "tick" && strings.Contains(result, "dst=ff:ff:ff:ff:ff:ff") != c.tick {
				t.Errorf("%+v: %s:\n%s", c, name, trace)
			}
		}
	}
}
