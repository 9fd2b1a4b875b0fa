package integration

import (
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 1 of chains: web, a firewall and db on three hosts. The firewall is a router
// or a bridge; it sees both directions of what is led to it, and nothing else.
func TestChainThroughAFirewall(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"routed", "transparent"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startChains(t, 3)
			m := new(manifest).endpoints("web1 web 10.0.0.11 fd00:0:0:1::11", "web2 web 10.0.0.12", "app1 app 10.0.1.11", "db1 db 10.0.2.11 fd00:0:0:2::11",
				"fw-in svc 10.0.9.11 fd00:0:0:9::11", "fw-out svc 10.0.9.12 fd00:0:0:9::12").
				function("fw", "type: "+kind+", instances: [{in: fw-in, out: fw-out}]").
				chain("guarded", "functions: [fw], sources: [{network: web}], destinations: [{network: db}]")
			s.api.apply(t, m.String())
			web1, web2, app1, db1 := s.attach("acme/web1", "h1"), s.attach("acme/web2", "h1"), s.attach("acme/app1", "h2"), s.attach("acme/db1", "h3")
			s.realized("acme/web1", "acme/web2", "acme/app1", "acme/db1")
			for _, port := range []uint16{22, 5432} {
				s.echo(db1, port)
				s.echo(app1, port)
			}
			// While the firewall is nowhere, its traffic is dropped; other traffic is not.
			web1.mustPing(t, "10.0.1.11")
			app1.mustPing(t, "10.0.2.11")
			web1.mustNotPing(t, "10.0.2.11")

			var fw *lab.Function
			if kind == "routed" {
				fw = s.routed("fw", "h2")
			} else {
				fw = s.transparent("fw", "h2")
			}
			rules := []string{"tcp dport 22 drop", "tcp dport 5432 accept", "meta l4proto { icmp, ipv6-icmp } accept"}
			if err := fw.Guard(lab.Guard{Drop: true, Stateful: true, Rules: rules}); err != nil {
				t.Fatal(err)
			}
			s.realized("acme/fw-in", "acme/fw-out")
			s.api.realized(t, functionPath("fw"), chainPath("guarded"))

			web1.mustPing(t, "10.0.2.11")
			web1.mustPing(t, "fd00:0:0:2::11")
			mustConnect(t, web1, "10.0.2.11:5432")
			mustConnect(t, web2, "10.0.2.11:5432")
			mustNotConnect(t, web1, "10.0.2.11:22")
			in, out := s.counted(fw, "in"), s.counted(fw, "out")
			if in == 0 || out == 0 {
				t.Errorf("the firewall has counted %d packets from web and %d from db; both must rise", in, out)
			}
			// db may ask, too: what it begins passes the firewall in reverse.
			db1.mustPing(t, "10.0.0.11")
			if after := s.counted(fw, "out"); after == out {
				t.Error("what db begins does not pass the firewall")
			}

			in, out = s.counted(fw, "in"), s.counted(fw, "out")
			web1.mustPing(t, "10.0.0.12")
			web1.mustPing(t, "10.0.1.11")
			mustConnect(t, web1, "10.0.1.11:22")
			app1.mustPing(t, "10.0.2.11")
			mustConnect(t, app1, "10.0.2.11:22")
			if a, b := s.counted(fw, "in"), s.counted(fw, "out"); a != in || b != out {
				t.Errorf("other traffic passes the firewall: %d and %d packets more", a-in, b-out)
			}

			// Switches credit their flows with packets a moment later.
			eventually(t, 10*time.Second, func() error { return s.counts("guarded") })
			said, err := exec.Command(binary, "describe", "chain", "acme/guarded", "--server", s.api.base).CombinedOutput()
			if line := regexp.MustCompile(`fw-in>fw-out +h2 +healthy .* forward [1-9]\S* +backward [1-9]`); err != nil || !line.Match(said) {
				t.Errorf("describe: %v\n%s\nwant a line like %s", err, said, line)
			}
		})
	}
}
