package integration

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 4 of chains: functions are inserted, reordered and removed under a TCP
// transfer and a ping every 5 ms, wherever they are: nothing is lost. Each packet passes up
// to eleven sockets here, whose buffers overflow while a busy machine lets a switch wait:
// no other scenario runs beside this one.
func TestChainsChangeWithoutLoss(t *testing.T) {
	s := startChains(t, 3)
	m := new(manifest).endpoints("web1 web 10.0.0.11", "db1 db 10.0.2.11",
		"ids-in svc", "ids-out svc", "fw-in svc 10.0.9.11", "fw-out svc 10.0.9.12", "late-in svc", "late-out svc").
		function("ids", "type: transparent, instances: [{in: ids-in, out: ids-out}]").
		function("fw", "type: routed, instances: [{in: fw-in, out: fw-out}]").
		function("late", "type: transparent, instances: [{in: late-in, out: late-out}]")
	s.api.apply(t, m.String())
	web1, db1 := s.attach("acme/web1", "h1"), s.attach("acme/db1", "h3")
	ids, fw, late := s.transparent("ids", "h1"), s.routed("fw", "h2"), s.transparent("late", "h3")
	s.realized("acme/web1", "acme/db1", "acme/ids-in", "acme/ids-out", "acme/fw-in", "acme/fw-out", "acme/late-in", "acme/late-out")
	for _, f := range []*lab.Function{ids, fw, late} {
		if err := f.Guard(lab.Guard{}); err != nil {
			t.Fatal(err)
		}
	}
	s.echo(db1, 7)
	// What is not in a chain yet, or not any more, is not counted.
	sees := func(f *lab.Function, in, out int64) (more bool) {
		return s.counted(f, "in") > in+20 && s.counted(f, "out") > out+20
	}
	step := func(what, functions string, passed ...*lab.Function) {
		t.Helper()
		if functions == "" {
			s.api.delete(t, chainPath("guarded"))
		} else {
			s.api.apply(t, new(manifest).chain("guarded", "functions: ["+functions+"], sources: [{network: web}], destinations: [{network: db}]").String())
			s.api.realized(t, chainPath("guarded"))
		}
		for _, f := range passed {
			in, out := s.counted(f, "in"), s.counted(f, "out")
			eventually(t, 10*time.Second, func() error {
				if !sees(f, in, out) {
					return fmt.Errorf("after %s a function sees no traffic", what)
				}
				return nil
			})
		}
	}
	pings := web1.pinger(t, "10.0.2.11")
	pings.waitFor(t, 20)
	stream, err := lab.StartStream(t.Context(), web1, netip.MustParseAddrPort("10.0.2.11:7"))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct {
		what, functions string
		passed          []*lab.Function
	}{
		{"a function at the source", "ids", []*lab.Function{ids}},
		{"a router behind it", "ids, fw", []*lab.Function{ids, fw}},
		{"a function at the destination", "ids, fw, late", []*lab.Function{ids, fw, late}},
		{"another order", "late, ids, fw", []*lab.Function{ids, fw, late}},
		{"removing the middle", "late, fw", []*lab.Function{late, fw}},
		{"removing the first", "fw", []*lab.Function{fw}},
		{"removing the chain", "", nil},
		{"all at once", "fw, late, ids", []*lab.Function{ids, fw, late}},
		{"removing all", "", nil},
	} {
		before := pings.replies()
		step(change.what, change.functions, change.passed...)
		pings.waitFor(t, before+100)
		if err := stream.Err(); err != nil {
			t.Fatalf("after %s the transfer ended: %v", change.what, err)
		}
	}
	if _, lost := pings.stop(t); lost > 0 {
		t.Errorf("%d pings lost", lost)
	}
	bytes, longest, err := stream.Stop()
	t.Logf("%d bytes came back, the longest pause %s", bytes, longest)
	if err != nil {
		t.Errorf("the transfer: %v", err)
	}
}
