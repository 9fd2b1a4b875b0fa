package integration

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Acceptance 5: whatever somebody does to a host is put right, counted and
// reported.
func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	w := start(t, 2)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").
		endpoint("acme", "a", "blue", "10.0.0.11").endpoint("acme", "b", "blue", "10.0.0.12")
	w.api.apply(t, m.String())
	a := w.attach("acme/a", "h1")
	w.attach("acme/b", "h2")
	w.realized("acme/a", "acme/b")
	a.mustPing(t, "10.0.0.12")
	planned := w.flows("h1")
	groups, meters := w.ofctl("h1", "dump-groups", "br-int"), sortedMeters(w.ofctl("h1", "dump-meters", "br-int"))

	for _, tt := range []struct {
		name, metric string
		harm         func()
	}{
		{"all flows deleted", "dovetail_drift_repaired_total", func() { w.ofctl("h1", "del-flows", "br-int") }},
		{"a changed action", "dovetail_drift_repaired_total", func() { w.ofctl("h1", "mod-flows", "br-int", "table=60,actions=drop") }},
		{"a foreign flow", "dovetail_drift_repaired_total", func() {
			w.ofctl("h1", "add-flow", "br-int", "table=60,priority=999,actions=NORMAL")
		}},
		{"a foreign flow with our cookie", "dovetail_drift_repaired_total", func() {
			w.ofctl("h1", "add-flow", "br-int", "cookie="+planned[0].cookie+",table=60,priority=998,actions=NORMAL")
		}},
		{"a foreign group", "dovetail_drift_repaired_total", func() {
			w.ofctl("h1", "add-group", "br-int", "group_id=7,type=all,bucket=actions=drop")
			w.ofctl("h1", "add-flow", "br-int", "table=60,priority=997,actions=group:7")
		}},
		{"the meters deleted", "dovetail_drift_repaired_total", func() { w.ofctl("h1", "del-meters", "br-int") }},
		{"the VXLAN port deleted", "dovetail_ovsdb_repaired_total", func() { w.vsctl("h1", "del-port", "br-int", w.tunnelPort("h1")) }},
		{"fail_mode changed", "dovetail_ovsdb_repaired_total", func() { w.vsctl("h1", "set-fail-mode", "br-int", "standalone") }},
		{"the controller deleted", "dovetail_ovsdb_repaired_total", func() { w.vsctl("h1", "del-controller", "br-int") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			counted := w.api.metric(t, tt.metric)
			events := w.repairs(t)
			tt.harm()
			eventually(t, 20*time.Second, func() error {
				if w.api.metric(t, tt.metric) <= counted {
					return errorf("%s did not move", tt.metric)
				}
				if w.repairs(t) <= events {
					return errorf("no event tells of it")
				}
				if err := compareFlows(planned, w.flows("h1")); err != nil {
					return err
				}
				if got := w.ofctl("h1", "dump-groups", "br-int"); got != groups {
					return errorf("groups are %s, were %s", got, groups)
				}
				if got := sortedMeters(w.ofctl("h1", "dump-meters", "br-int")); got != meters {
					return errorf("meters are %s, were %s", got, meters)
				}
				return a.ping("10.0.0.12")
			})
		})
	}
	t.Run("the bridge deleted", func(t *testing.T) {
		counted := w.api.metric(t, "dovetail_ovsdb_repaired_total")
		number := w.vsctl("h1", "get", "interface", a.Port(), "ofport")
		w.vsctl("h1", "del-br", "br-int")
		eventually(t, 20*time.Second, func() error {
			if w.api.metric(t, "dovetail_ovsdb_repaired_total") <= counted {
				return errorf("no repair was counted")
			}
			_, err := w.tryVsctl("h1", "get", "bridge", "br-int", "fail_mode")
			return err
		})
		// The port went with the bridge; its owner brings it back.
		w.replug(a)
		// It may have another number there, and flows with it.
		w.vsctl("h1", "set", "interface", a.Port(), "ofport_request="+number)
		w.realized("acme/a")
		eventually(t, 20*time.Second, func() error { return compareFlows(planned, w.flows("h1")) })
		a.mustPing(t, "10.0.0.12")
	})
}

// sortedMeters puts meters in order, which a switch does not.
func sortedMeters(dump string) string {
	meters := strings.Split(strings.TrimSpace(dump), "\n\n")
	slices.Sort(meters)
	return strings.Join(meters, "\n\n")
}
