package integration

import (
	"testing"
	"time"
)

// Acceptance 6: a live migration under a ping every 5 ms loses at most 20, and
// leaves no stale flow anywhere. It runs alone: a machine that is busy with others loses
// more.
func TestLiveMigration(t *testing.T) {
	w := start(t, 3)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").
		endpoint("acme", "vm", "blue", "10.0.0.11").endpoint("acme", "peer", "blue", "10.0.0.12").
		endpoint("acme", "stays1", "blue", "10.0.0.13").endpoint("acme", "stays2", "blue", "10.0.0.14")
	w.api.apply(t, m.String())
	vm, peer := w.attach("acme/vm", "h1"), w.attach("acme/peer", "h3")
	w.attach("acme/stays1", "h1")
	w.attach("acme/stays2", "h2")
	w.realized("acme/vm", "acme/peer", "acme/stays1", "acme/stays2")

	p := peer.pinger(t, "10.0.0.11")
	p.waitFor(t, 100)
	w.move(vm, "h2")
	p.waitFor(t, p.replies()+200)
	sent, lost := p.stop(t)
	t.Logf("%d of %d pings lost", lost, sent)
	if lost > 20 {
		t.Errorf("%d pings were lost, 20 are allowed", lost)
	}
	w.realized("acme/vm")
	eventually(t, 5*time.Second, func() error {
		for _, f := range w.flows("h1") {
			if f.table == 60 && contains(f.text, vm.mac) && !contains(f.text, "tun_dst") {
				return errorf("h1 still delivers to the endpoint: %s", f.text)
			}
		}
		for _, h := range []string{"h1", "h3"} {
			for _, f := range w.flows(h) {
				if f.table == 60 && contains(f.text, vm.mac) && contains(f.text, "tun_dst") && !contains(f.text, w.vtep("h2")+"->tun_dst") {
					return errorf("%s sends to the wrong host: %s", h, f.text)
				}
			}
		}
		return nil
	})
	if b := w.api.get(t, endpointPath("acme/vm")).Status.Binding; b == nil || b.Host != "h2" {
		t.Errorf("the binding is %+v", b)
	}
}
