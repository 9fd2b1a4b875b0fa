package integration

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// Acceptance 3: no flow has NORMAL, and spoofed packets never leave the port.
func TestSpoofedPacketsNeverLeaveThePort(t *testing.T) {
	t.Parallel()
	w := start(t, 2)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24", "fd00:1::/64").
		endpoint("acme", "a", "blue", "10.0.0.11", "fd00:1::11").endpoint("acme", "b", "blue", "10.0.0.12", "fd00:1::12")
	w.api.apply(t, m.String())
	a, b := w.attach("acme/a", "h1"), w.attach("acme/b", "h2")
	w.realized("acme/a", "acme/b")
	a.mustPing(t, "10.0.0.12")

	for _, h := range []string{"h1", "h2"} {
		for _, f := range w.flows(h) {
			if contains(f.text, "NORMAL") || contains(f.text, "FLOOD") {
				t.Errorf("host %s has %s", h, f.text)
			}
		}
	}
	good := frameFields{srcMAC: a.mac, dstMAC: b.mac, srcIP: "10.0.0.11", dstIP: "10.0.0.12", srcIP6: "fd00:1::11", dstIP6: "fd00:1::12"}
	const evil = "02:66:66:66:66:66"
	for _, tt := range []struct {
		name  string
		frame []byte
	}{
		{"MAC", udpFrame(good.with(func(f *frameFields) { f.srcMAC = evil }))},
		{"IPv4", udpFrame(good.with(func(f *frameFields) { f.srcIP = "10.0.0.66" }))},
		{"IPv6", udp6Frame(good.with(func(f *frameFields) { f.srcIP6 = "fd00:1::66" }))},
		{"ARP address", arpReplyFrame(good.with(func(f *frameFields) { f.srcIP = "10.0.0.66" }), a.mac)},
		{"ARP hardware address", arpReplyFrame(good, evil)},
		{"ND target", advertisementFrame(good, "fd00:1::66", a.mac)},
		{"ND link-layer address", advertisementFrame(good, "fd00:1::11", evil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, dropped := w.delivered(b), w.spoofDrops(a)
			const n = 20
			for range n {
				a.send(t, tt.frame)
			}
			eventually(t, 5*time.Second, func() error {
				if got := w.spoofDrops(a) - dropped; got < n {
					return errorf("%d of %d packets are counted as dropped", got, n)
				}
				return nil
			})
			if got := w.delivered(b) - before; got > 0 {
				t.Errorf("the other endpoint received %d packets", got)
			}
		})
	}
	s, err := b.Sniff()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	number := 0
	for name, frame := range hostileFrames(good) {
		number++ // an honest frame of its own, since those of a failed predecessor may still come
		marker := fmt.Appendf(nil, "honest %07d", number)
		honest := bytes.ReplaceAll(udpFrame(good), []byte("spoofed or not"), marker)
		t.Run(name, func(t *testing.T) {
			for range 20 {
				a.send(t, frame)
			}
			a.send(t, honest) // once it is there, the others would be
			// Short frames arrive padded, so that what is looked for is within them.
			tail := frame[len(frame)-12:]
			got, err := s.Next(5*time.Second, func(f []byte) bool { return bytes.Contains(f, tail) || bytes.Contains(f, marker) })
			if err != nil || bytes.Contains(got, tail) {
				t.Errorf("the other endpoint received %x, %v", got, err)
			}
		})
	}
	a.mustPing(t, "10.0.0.12")
}
