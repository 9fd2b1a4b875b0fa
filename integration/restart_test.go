package integration

import (
	"testing"
	"time"
)

// Acceptance 4: nothing is lost and no flow is replaced when the controller is
// killed and started again, nor when a host's ovsdb-server is restarted; a
// restarted switch is complete soon after it is back.
func TestRestartsLoseNothing(t *testing.T) {
	t.Parallel()
	w := start(t, 2)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").network("acme", "green", "10.0.1.0/24").router("acme", "core", "blue", "green").
		endpoint("acme", "a", "blue", "10.0.0.11").endpoint("acme", "b", "green", "10.0.1.11")
	w.api.apply(t, m.String())
	a := w.attach("acme/a", "h1")
	w.attach("acme/b", "h2")
	w.realized("acme/a", "acme/b")

	t.Run("controller", func(t *testing.T) {
		before := map[string][]flow{"h1": w.flows("h1"), "h2": w.flows("h2")}
		began := time.Now()
		p := a.pinger(t, "10.0.1.11")
		p.waitFor(t, 100)
		w.killController()
		p.waitFor(t, 300)
		w.startController()
		w.api.realized(t, "/v1/hosts/h1", "/v1/hosts/h2")
		w.realized("acme/a", "acme/b")
		p.waitFor(t, p.replies()+200)
		if sent, lost := p.stop(t); lost > 0 {
			t.Errorf("%d of %d pings were lost", lost, sent)
		}
		for h, flows := range before {
			after := w.flows(h)
			sameFlows(t, flows, after)
			oldest(t, after, time.Since(began))
		}
		if sent := w.api.metric(t, "dovetail_openflow_flow_mods_total"); sent != 0 {
			t.Errorf("the controller sent %g flow-mods after its restart", sent)
		}
	})
	t.Run("ovsdb-server", func(t *testing.T) {
		before := w.flows("h1")
		began := time.Now()
		p := a.pinger(t, "10.0.1.11")
		p.waitFor(t, 100)
		w.restartOVSDB("h1")
		w.api.realized(t, "/v1/hosts/h1")
		p.waitFor(t, p.replies()+200)
		if sent, lost := p.stop(t); lost > 0 {
			t.Errorf("%d of %d pings were lost", lost, sent)
		}
		after := w.flows("h1")
		sameFlows(t, before, after)
		oldest(t, after, time.Since(began))
	})
	t.Run("ovs-vswitchd", func(t *testing.T) {
		before := w.flows("h1")
		w.killSwitch("h1")
		w.startSwitch("h1")
		started := time.Now()
		eventually(t, 20*time.Second, func() error {
			if got := w.flows("h1"); len(got) < len(before) {
				return errorf("%d of %d flows are back", len(got), len(before))
			}
			return nil
		})
		t.Logf("complete %s after its process was there again", time.Since(started).Round(time.Millisecond))
		sameFlows(t, before, w.flows("h1"))
		w.realized("acme/a", "acme/b")
		a.mustPing(t, "10.0.1.11")
	})
}
