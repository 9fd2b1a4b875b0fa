package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// probed is how long it may take until a function that is asked every 200 ms, and is dead
// after three questions, is found dead or alive, and switches know it.
const probed = 2 * time.Second

// fatal ends the test with an error.
func fatal(t testing.TB) func(error) {
	return func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

const often = "intervalMillis: 200, failures: 3"

// failed waits until a function has failed for a reason.
func (s *chainSite) failed(name, why string) {
	s.t.Helper()
	eventually(s.t, probed, func() error {
		r := s.api.get(s.t, functionPath(name))
		if r.Status.Phase != "failed" || !strings.Contains(r.Status.Reason, why) {
			return fmt.Errorf("%s is %s: %s", name, r.Status.Phase, r.Status.Reason)
		}
		return nil
	})
}

// An appliance that hangs has its links up. It is found dead by asking it, its connections
// go through another one, and when it is back it has its share again.
func TestARoutedFunctionIsAsked(t *testing.T) {
	t.Parallel()
	s, must := startChains(t, 2), fatal(t)
	const instances = "type: routed, instances: [{in: fw1-in, out: fw1-out}, {in: fw2-in, out: fw2-out}], probe: "
	m := new(manifest).endpoints("web1 web 10.0.0.11", "db1 db 10.0.2.11",
		"fw1-in svc 10.0.9.11 fd00:0:0:9::11", "fw1-out svc 10.0.9.12 fd00:0:0:9::12", "fw2-in svc 10.0.9.21 fd00:0:0:9::21", "fw2-out svc 10.0.9.22 fd00:0:0:9::22").
		function("fw", instances+"{protocol: icmp, "+often+"}").
		chain("guarded", "functions: [fw], sources: [{network: web}], destinations: [{network: db}]")
	s.api.apply(t, m.String())
	web1, db1 := s.attach("acme/web1", "h1"), s.attach("acme/db1", "h2")
	fws := []*lab.Function{s.routed("fw1", "h1"), s.routed("fw2", "h2")}
	for _, fw := range fws {
		must(fw.Guard(lab.Guard{}))
	}
	s.realized("acme/web1", "acme/db1", "acme/fw1-in", "acme/fw1-out", "acme/fw2-in", "acme/fw2-out")
	s.api.realized(t, functionPath("fw"), chainPath("guarded"))
	s.echo(db1, 5432)

	const n = 16
	old, err := lab.OpenConnections(t.Context(), web1, netip.MustParseAddrPort("10.0.2.11:5432"), n)
	must(err)
	defer old.Close()
	all := func() error {
		if got := old.Count(200 * time.Millisecond); got[lab.ConnectionWorks] != n {
			return fmt.Errorf("connections are %v", got)
		}
		return nil
	}
	// Nothing is found dead that is alive.
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		must(all())
	}
	in := []int64{s.counted(fws[0], "in"), s.counted(fws[1], "in")}
	must(all())
	for i, fw := range fws {
		if s.counted(fw, "in") == in[i] {
			t.Fatalf("no connection passes instance %d", i+1)
		}
	}
	must(fws[0].Freeze(true))
	began := time.Now()
	if all() == nil {
		t.Fatal("nothing was frozen")
	}
	eventually(t, probed-time.Since(began), all)
	t.Logf("the connections go by another instance after %s", time.Since(began).Round(time.Millisecond))
	for range 5 {
		mustConnect(t, web1, "10.0.2.11:5432")
	}
	must(fws[1].Freeze(true))
	s.failed("fw", "has no answer")
	must(fws[0].Freeze(false))
	must(fws[1].Freeze(false))
	before := s.counted(fws[0], "in")
	eventually(t, probed, func() error {
		if err := connects(web1, "10.0.2.11:5432", 200*time.Millisecond); err != nil {
			return err
		}
		if s.counted(fws[0], "in") == before {
			return errors.New("the instance that is back has no share")
		}
		return nil
	})

	// Asked at a port, it has to listen there; nothing of the questions stays.
	s.api.apply(t, new(manifest).function("fw", instances+"{protocol: tcp, port: 8080, "+often+"}").String())
	s.failed("fw", "is refused")
	for _, fw := range fws {
		srv, err := lab.Serve(fw.In, "tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), 8080))
		must(err)
		defer srv.Close()
	}
	s.api.realized(t, functionPath("fw"))
	eventually(t, probed, func() error {
		if out, err := fws[0].Command("ss", "-Htan", "state", "syn-recv", "state", "established").Output(); err != nil || len(out) > 0 {
			return fmt.Errorf("connections of questions: %s, %v", out, err)
		}
		return nil
	})
}

// A bump in the wire answers nothing itself: what goes in has to come out, in both
// directions.
func TestATransparentFunctionIsAsked(t *testing.T) {
	t.Parallel()
	s, must := startChains(t, 2), fatal(t)
	const instances = "type: transparent, failMode: open, instances: [{in: ids-in, out: ids-out}], probe: "
	m := new(manifest).endpoints("web1 web 10.0.0.11", "db1 db 10.0.2.11", "ids-in svc 10.0.9.11", "ids-out svc 10.0.9.12").
		function("ids", instances+"{protocol: arp, "+often+"}").
		chain("watched", "functions: [ids], sources: [{network: web}], destinations: [{network: db}]")
	s.api.apply(t, m.String())
	web1, _ := s.attach("acme/web1", "h1"), s.attach("acme/db1", "h2")
	ids := s.transparent("ids", "h2")
	// Questions pass the function, too, and do not count.
	must(ids.Guard(lab.Guard{Counters: []string{"pings"}, Rules: []string{"ip daddr 10.0.2.11 counter name pings"}}))
	s.realized("acme/web1", "acme/db1", "acme/ids-in", "acme/ids-out")
	s.api.realized(t, functionPath("ids"), chainPath("watched"))
	web1.mustPing(t, "10.0.2.11")
	if s.counted(ids, "pings") == 0 {
		t.Fatal("pings do not pass the function")
	}
	must(ids.Forward(false))
	if web1.ping("10.0.2.11") == nil {
		t.Error("pings pass a function that does nothing, before it is found dead")
	}
	s.failed("ids", "an ARP request from")
	web1.mustPing(t, "10.0.2.11") // packets skip it
	must(ids.Forward(true))
	s.api.realized(t, functionPath("ids"))
	before := s.counted(ids, "pings")
	web1.mustPing(t, "10.0.2.11")
	if s.counted(ids, "pings") == before {
		t.Error("pings do not pass the function that works again")
	}

	// A firewall that lets no echo requests of its own addresses through is dead to them.
	s.api.apply(t, new(manifest).function("ids", instances+"{protocol: icmp, "+often+"}").String())
	s.api.realized(t, functionPath("ids"))
	must(ids.Guard(lab.Guard{Rules: []string{"ip saddr 10.0.9.12 drop"}}))
	s.failed("ids", "an echo request from")
	must(ids.Guard(lab.Guard{}))
	s.api.realized(t, functionPath("ids"))
}
