package integration

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 3 of chains: two firewalls share the connections. When one dies, those of the
// other are untouched, and its own fare as the fail mode says, within a second.
func TestInstancesShareAndFail(t *testing.T) {
	t.Parallel()
	s := startChains(t, 3)
	const instances = "instances: [{in: fw1-in, out: fw1-out}, {in: fw2-in, out: fw2-out}]"
	m := new(manifest).endpoints("web1 web 10.0.0.11", "db1 db 10.0.2.11",
		"fw1-in svc 10.0.9.11", "fw1-out svc 10.0.9.12", "fw2-in svc 10.0.9.21", "fw2-out svc 10.0.9.22").
		function("fw", "type: routed, "+instances).
		chain("guarded", "functions: [fw], sources: [{network: web}], destinations: [{network: db}]")
	s.api.apply(t, m.String())
	web1, db1 := s.attach("acme/web1", "h1"), s.attach("acme/db1", "h3")
	fw1, fw2 := s.routed("fw1", "h2"), s.routed("fw2", "h3")
	s.realized("acme/web1", "acme/db1", "acme/fw1-in", "acme/fw1-out", "acme/fw2-in", "acme/fw2-out")
	s.api.realized(t, chainPath("guarded"))
	s.echo(db1, 7)

	const all = 200
	open := func() *lab.Connections {
		t.Helper()
		c, err := lab.OpenConnections(t.Context(), web1, netip.MustParseAddrPort("10.0.2.11:7"), all)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	expect := func(c *lab.Connections, when string, want func(works, silent int) bool) {
		t.Helper()
		got := c.Count(time.Second)
		t.Logf("%s: %v", when, got)
		if !want(got[lab.ConnectionWorks], got[lab.ConnectionSilent]) || got[lab.ConnectionBroken] > 0 {
			t.Errorf("%s: %v", when, got)
		}
	}
	everyone := func(works, _ int) bool { return works == all }
	some := func(works, silent int) bool { return works >= 60 && silent >= 60 && works+silent == all }
	kill := func(f *lab.Function, up bool) {
		t.Helper()
		if err := f.SetLink(up); err != nil {
			t.Fatal(err)
		}
		if !up {
			return
		}
		// The instance is back when it gets packets again, which its connections show.
		c := open()
		defer c.Close()
		eventually(t, 20*time.Second, func() error {
			if got := c.Count(time.Second); got[lab.ConnectionWorks] != all {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	mode := func(spec string) {
		t.Helper()
		s.api.apply(t, new(manifest).function("fw", "type: routed, "+spec+", "+instances).String())
		s.api.realized(t, functionPath("fw"), chainPath("guarded"))
	}

	c := open()
	expect(c, "both live", everyone)
	kill(fw1, false)
	expect(c, "fw1 dead, reroute", everyone)
	kill(fw1, true)
	expect(c, "fw1 back", everyone)

	mode("failMode: closed")
	c = open()
	kill(fw1, false)
	expect(c, "fw1 dead, closed", some)
	kill(fw1, true)
	eventually(t, 20*time.Second, func() error {
		if got := c.Count(time.Second); got[lab.ConnectionWorks] != all {
			return fmt.Errorf("fw1 is back, and connections are %v", got)
		}
		return nil
	})

	mode("failMode: open")
	c = open()
	kill(fw2, false)
	expect(c, "fw2 dead, open", everyone)
	kill(fw2, true)

	// Without any instance, and with the host of one dead.
	mode("failMode: reroute, lastResort: closed")
	c = open()
	if err := s.lab.Host("h2").KillSwitch(); err != nil {
		t.Fatal(err)
	}
	expect(c, "the host of fw1 dead, reroute", everyone)
	kill(fw2, false)
	expect(c, "all dead, closed", func(works, silent int) bool { return silent == all })
}
