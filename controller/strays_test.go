package controller

import (
	"net"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// A connection that nobody knows is reset when it is heard of again after its end inside
// had the time to take it up, once, and not before.
func TestStraysAreResetInTime(t *testing.T) {
	w := edgeWorld(t)
	eth := layers.Ethernet{SrcMAC: hopMAC[:], DstMAC: net.HardwareAddr{0x0e, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4}
	ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{198, 51, 100, 10}, DstIP: net.IP{203, 0, 113, 101}}
	tcp := layers.TCP{SrcPort: 80, DstPort: 4000, ACK: true}
	if err := tcp.SetNetworkLayerForChecksum(&ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, &eth, &ip, &tcp); err != nil {
		t.Fatal(err)
	}
	frame := buf.Bytes()
	pkt := sentUp(pipeline.ReasonStray, frame, pipeline.RegExternal.Uint(1<<24|1))
	resets := func() (n int) {
		for _, p := range w.sw.packets {
			if len(p.data) >= 54 && p.data[23] == 6 && p.data[47]&0x04 != 0 {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {400 * time.Millisecond, 0}, {time.Second, 1}, {0, 1}, {2 * strayForgotten, 1}, {strayPatience / 2, 1}, {strayPatience, 2}} {
		w.pass(step.after)
		w.forgetStrays()
		w.PacketIn(1, pkt)
		w.turn()
		if n := resets(); n != step.want {
			t.Fatalf("%d resets %s later, want %d", n, step.after, step.want)
		}
	}
}
