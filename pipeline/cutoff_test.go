package pipeline

import (
	"strings"
	"testing"
)

// A gateway host shows that it lives and where its lanes are, and lets its endpoints
// leave, while one of its links is up; none of that when all are down. What comes to a
// lane's MAC it takes in always.
func TestAHostThatIsCutOffIsSilent(t *testing.T) {
	h := exampleSwitch(t)
	packets := map[string]string{
		"tick":            "in_port=63000,dl_src=02:00:00:00:00:99,dl_dst=01:80:c2:00:00:30,dl_type=0x8902",
		"who watches it":  "in_port=1,tun_id=0,tun_src=192.0.2.2,tun_dst=192.0.2.1,udp,udp_dst=3784,nw_ttl=255",
		"ARP for a lane":  inExt + toAll + "arp,arp_op=1,arp_sha=02:00:00:00:09:01,arp_spa=203.0.113.1,arp_tpa=203.0.113.2",
		"for an endpoint": inExt + toLane + "tcp,nw_src=198.51.100.1,nw_dst=10.0.1.20,nw_ttl=64",
		"to the outside":  web1Out + toGW + "tcp6,ipv6_src=fd00:1::10,ipv6_dst=2001:db8:f::9,nw_ttl=64",
	}
	for _, link2 := range []string{"up", "down"} {
		for _, link3 := range []string{"up", "down"} {
			h.Ofctl("mod-port", "br-int", "link2", link2)
			h.Ofctl("mod-port", "br-int", "link3", link3)
			for name, packet := range packets {
				_, result, _ := strings.Cut(h.Appctl("ofproto/trace", "br-int", packet), "Datapath actions:")
				cutOff := link2 == "down" && link3 == "down" && name != "for an endpoint"
				if dropped := strings.TrimSpace(result) == "drop"; dropped != cutOff {
					t.Errorf("links %s and %s: %s: %s", link2, link3, name, strings.TrimSpace(result))
				}
			}
		}
	}
}
