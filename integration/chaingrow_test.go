package integration

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Instances come and go under connections that stateful firewalls know: each stays with the
// firewall that saw it begin, those of before the second one too. A controller that starts
// again changes nothing.
func TestConnectionsStayWithTheirInstance(t *testing.T) {
	t.Parallel()
	s := startChains(t, 3)
	instance := func(name, more string) string { return fmt.Sprintf("{in: %s-in, out: %[1]s-out%s}", name, more) }
	function := func(instances string) string {
		return new(manifest).function("fw", "type: routed, instances: ["+instances+"]").String()
	}
	s.api.apply(t, new(manifest).endpoints("web1 web 10.0.0.11", "db1 db 10.0.2.11",
		"fw1-in svc 10.0.9.11", "fw1-out svc 10.0.9.12", "fw2-in svc 10.0.9.21", "fw2-out svc 10.0.9.22", "fw3-in svc 10.0.9.31", "fw3-out svc 10.0.9.32").String()+
		function(instance("fw1", ""))+new(manifest).chain("guarded", "functions: [fw], sources: [{network: web}], destinations: [{network: db}]").String())
	web1, db1 := s.attach("acme/web1", "h1"), s.attach("acme/db1", "h3")
	// Two are on one host: only that knows which of them a connection uses.
	functions := map[string]*lab.Function{"fw1": s.routed("fw1", "h2"), "fw2": s.routed("fw2", "h2"), "fw3": s.routed("fw3", "h3")}
	for name, f := range functions {
		if err := f.Guard(lab.Guard{Drop: true, Stateful: true, Rules: []string{"tcp dport 7 accept"}}); err != nil {
			t.Fatal(err)
		}
		s.realized("acme/"+name+"-in", "acme/"+name+"-out")
	}
	s.realized("acme/web1", "acme/db1")
	s.api.realized(t, chainPath("guarded"))
	s.echo(db1, 7)
	var opened []*lab.Connections
	open := func(when string) {
		t.Helper()
		c, err := lab.OpenConnections(t.Context(), web1, netip.MustParseAddrPort("10.0.2.11:7"), 60)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		t.Cleanup(c.Close)
		opened = append(opened, c)
	}
	allWork := func(when string) {
		t.Helper()
		for i, c := range opened {
			if got := c.Count(3 * time.Second); got[lab.ConnectionWorks] != 60 {
				t.Errorf("%s, the connections of turn %d are %v", when, i+1, got)
			}
		}
	}
	seen := func(name string) int64 { return s.counted(functions[name], "in") }
	change := func(instances string) {
		t.Helper()
		s.api.apply(t, function(instances))
		s.api.realized(t, functionPath("fw"), chainPath("guarded"))
	}
	open("one instance")
	change(instance("fw1", "") + ", " + instance("fw2", ""))
	allWork("a second instance on the same host")
	open("two instances")
	change(instance("fw1", "") + ", " + instance("fw2", "") + ", " + instance("fw3", ", weight: 2"))
	allWork("a third instance")
	open("three instances")
	allWork("three instances")
	for name := range functions {
		if seen(name) < 60 {
			t.Errorf("%s has seen %d packets", name, seen(name))
		}
	}
	// One that drains keeps its connections and gets no others.
	change(instance("fw1", ", drain: true") + ", " + instance("fw2", "") + ", " + instance("fw3", ", weight: 2"))
	allWork("fw1 drains")
	s.killController()
	s.startController()
	allWork("a controller that starts again")
	s.api.realized(t, chainPath("guarded"))
	allWork("it has started")
	open("fw1 drains")
	allWork("fw1 drains, new connections")
}
