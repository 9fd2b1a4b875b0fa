package lab

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// A routed function with one port keeps VLANs apart: a workload reaches another through
// it by tagged frames, and each VLAN has its own interface.
func TestFunctionVLAN(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	h := l.Host("h1")
	near, far := attach(t, l, "h1", 1), attachFar(t, l, 1)
	f, err := l.AttachOneArmed(h, port(1))
	ok(t, err)
	for id, addresses := range map[int][]netip.Prefix{100: both(v4(254), v6(254)), 200: both(far4(254), far6(254))} {
		v, err := f.AddVLAN(f.In, id, addresses...)
		ok(t, err)
		t.Cleanup(func() { ok(t, v.Close()) })
	}
	// The switch tags what the workloads send, and untags what they get.
	one, two, three := ofport(t, near), ofport(t, far), ofport(t, f.In)
	for _, flow := range []string{
		"in_port=" + one + ",actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:" + three,
		"in_port=" + two + ",actions=push_vlan:0x8100,set_field:4296->vlan_vid,output:" + three,
		"in_port=" + three + ",dl_vlan=100,actions=pop_vlan,output:" + one,
		"in_port=" + three + ",dl_vlan=200,actions=pop_vlan,output:" + two,
	} {
		if _, err := h.Ofctl("add-flow", "br-int", flow); err != nil {
			t.Fatal(err)
		}
	}
	tap, err := StartTap(f.In, func(frame []byte) bool {
		return binary.BigEndian.Uint16(frame[12:]) == 0x8100
	})
	ok(t, err)
	guard(t, f, Guard{Drop: true, Stateful: true, Counters: []string{"first"}, Rules: []string{`iifname "in.100" counter name first accept`}})
	for _, to := range []netip.Addr{far4(1), far6(1)} {
		reaches(t, near, to)
		ok(t, near.TCP(far, to, 10*time.Second))
	}
	unreachable(t, far, v4(1))
	if c := counters(t, f); c["first"].Packets != 4 || c["in"].Packets < 20 || c["dropped"].Packets != 1 {
		t.Errorf("counters %+v", c)
	}
	if err := Transfer(t.Context(), near, far, far4(1), 3_000_000); err != nil {
		t.Error(err)
	}
	if tap.Count() < 20 {
		t.Errorf("%d tagged frames have come", tap.Count())
	}
	ok(t, tap.Close())

	ok(t, f.Freeze(true))
	unreachable(t, near, far4(1))
	ok(t, f.Freeze(false))
	reaches(t, near, far4(1))
	ok(t, f.SetLink(false))
	unreachable(t, near, far4(1))
	ok(t, f.SetLink(true))
	reaches(t, near, far4(1))
	if _, err := f.AddVLAN(f.In, 4095); err == nil {
		t.Error("VLAN 4095 is added")
	}
}
