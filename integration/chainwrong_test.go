package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Acceptance 8 of chains: what cannot be is refused with a clear error, and what does not
// work yet says so in its status, while packets fare as the fail mode says.
func TestChainsThatCannotBe(t *testing.T) {
	t.Parallel()
	s := startChains(t, 2)
	m := new(manifest).endpoints("web1 web 10.0.0.11", "db1 db 10.0.2.11", "fw-in svc 10.0.9.11", "fw-out svc 10.0.9.12", "split-in svc", "split-out svc").
		function("fw", "type: routed, instances: [{in: fw-in, out: fw-out}]").
		function("split", "type: transparent, failMode: open, instances: [{in: split-in, out: split-out}]").
		function("empty", "type: transparent, failMode: open")
	s.api.apply(t, m.String())
	for _, test := range []struct {
		name     string
		manifest *manifest
		code     int
		says     []string
	}{
		{"an unknown function", new(manifest).chain("c", "functions: [ids]"), 422, []string{"spec.functions[0]", "ServiceFunction acme/ids does not exist"}},
		{"another tenant's function", new(manifest).chain("c", "functions: [globex/fw]"), 422, []string{"spec.functions[0]", "sharedWith"}},
		{"an unknown router", (*manifest)(nil), 422, []string{"spec.router", "does not exist"}},
		{"a function twice", new(manifest).chain("c", "functions: [fw, fw]"), 422, []string{"spec.functions[1]"}},
		{"no function", new(manifest).chain("c", "functions: []"), 422, []string{"spec.functions"}},
		{"an instance in two places", new(manifest).function("other", "type: routed, instances: [{in: fw-in}]"), 409, []string{"fw-in", "ServiceFunction acme/fw"}},
		{"an unknown endpoint", new(manifest).function("other", "type: routed, instances: [{in: nobody}]"), 422, []string{"spec.instances[0].in", "nobody"}},
		{"ports without a protocol", new(manifest).chain("c", "functions: [fw], ports: [\"80\"]"), 422, []string{"spec.ports"}},
		{"a network elsewhere", new(manifest).chain("c", "functions: [fw], sources: [{network: nowhere}]"), 422, []string{"spec.sources[0].network"}},
	} {
		text := ""
		if test.manifest != nil {
			text = test.manifest.String()
		} else {
			text = "kind: Chain\nmetadata: {tenant: acme, name: c}\nspec: {router: nobody, functions: [fw]}\n"
		}
		code, body, err := s.api.do("POST", "/v1/apply", "application/yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if code != test.code {
			t.Errorf("%s: %d, want %d: %s", test.name, code, test.code, body)
		}
		for _, w := range test.says {
			if !strings.Contains(string(body), w) {
				t.Errorf("%s: no %q in %s", test.name, w, body)
			}
		}
	}

	web1, db1 := s.attach("acme/web1", "h1"), s.attach("acme/db1", "h2")
	s.realized("acme/web1", "acme/db1")
	s.echo(db1, 7)
	status := func(path, phase string, says ...string) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			st := s.api.get(t, path).Status
			if string(st.Phase) != phase {
				return fmt.Errorf("%s is %s (%s), want %s", path, st.Phase, st.Reason, phase)
			}
			for _, w := range says {
				if !strings.Contains(st.Reason, w) {
					return fmt.Errorf("%s: no %q in %q", path, w, st.Reason)
				}
			}
			return nil
		})
	}
	chain := func(functions string) {
		s.api.apply(t, new(manifest).chain("c", "functions: ["+functions+"], sources: [{network: web}], destinations: [{network: db}]").String())
	}
	// An unbound instance: closed, then open.
	chain("fw")
	status(chainPath("c"), "pending", "fw-in is not bound to a host", "packets are dropped")
	blocked := func() error {
		if web1.ping("10.0.2.11") == nil {
			return errors.New("packets skip a function that is closed")
		}
		return nil
	}
	eventually(t, 10*time.Second, blocked)
	chain("empty")
	status(chainPath("c"), "failed", "no instances", "packets skip it")
	eventually(t, 10*time.Second, func() error { return web1.ping("10.0.2.11") })
	// The two ends of an instance on two hosts.
	for end, host := range map[string]string{"split-in": "h1", "split-out": "h2"} {
		s.attach("acme/"+end, host)
	}
	chain("split")
	status(chainPath("c"), "pending", "different hosts", "packets skip it")
	eventually(t, 10*time.Second, func() error { return web1.ping("10.0.2.11") })

	// The function's own network is a source: what it sends itself does not come back to it.
	s.api.apply(t, new(manifest).chain("c", "functions: [fw], sources: [{network: svc}, {network: web}], destinations: [{network: db}]").String())
	fw := s.routed("fw", "h1")
	s.api.realized(t, chainPath("c"))
	web1.mustPing(t, "10.0.2.11")
	if out, err := fw.Command("ping", "-c", "2", "-W", "1", "-I", "10.0.9.12", "10.0.2.11").CombinedOutput(); err != nil {
		t.Errorf("the function itself does not reach db1: %s", out)
	}
	// What is in use stays.
	for path, by := range map[string]string{functionPath("fw"): "Chain acme/c", endpointPath("acme/fw-in"): "ServiceFunction acme/fw", "/v1/tenants/acme/routers/core": "Chain acme/c"} {
		code, body, err := s.api.do("DELETE", path, "", nil)
		if err != nil || code != 409 || !strings.Contains(string(body), by) {
			t.Errorf("deleting %s: %d %s %v, want 409 and %s", path, code, body, err, by)
		}
	}
}
