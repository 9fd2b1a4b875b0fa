package integration

import (
	"os"
	"path/filepath"
	"strings"
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
		began := time.Now()
		w.killSwitch("h1")
		w.startSwitch("h1")
		eventually(t, 20*time.Second, func() error {
			if got := w.flows("h1"); len(got) < len(before) {
				return errorf("%d of %d flows are back", len(got), len(before))
			}
			return nil
		})
		complete := time.Now()
		t.Logf("complete %s after it had connected again", complete.Sub(w.connected(t, "h1", began)).Round(time.Millisecond))
		sameFlows(t, before, w.flows("h1"))
		w.realized("acme/a", "acme/b")
		a.mustPing(t, "10.0.1.11")
	})
}

// connected is when a host's switch connected to the controller last, as its log says;
// it is waited for if that was not after the time given.
func (w *world) connected(t testing.TB, host string, after time.Time) time.Time {
	t.Helper()
	var at time.Time
	eventually(t, 5*time.Second, func() error { // the log is written late
		log, err := os.ReadFile(filepath.Join(w.lab.Folder(host), "ovs-vswitchd.log"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(log)) {
			if stamp, what, _ := strings.Cut(line, "|"); strings.Contains(what, "|br-int<->tcp:"+w.openFlow+": connected") {
				if at, err = time.Parse(time.RFC3339, stamp); err != nil {
					return err
				}
			}
		}
		if at.Before(after) {
			return errorf("it connected last at %s", at)
		}
		return nil
	})
	return at
}
