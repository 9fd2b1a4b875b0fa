package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Acceptance 7: 200 clients write contradictory changes to the same objects at
// once. Afterwards the store, the flows of every host and who can ping whom agree.
func TestContradictoryWriters(t *testing.T) {
	t.Parallel()
	w := start(t, 3)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").network("acme", "green", "10.0.1.0/24")
	var nodes []*node
	for i := range 6 {
		m.endpoint("acme", fmt.Sprintf("e%d", i), "blue")
	}
	w.api.apply(t, m.String())
	for i := range 6 {
		nodes = append(nodes, w.attach(fmt.Sprintf("acme/e%d", i), fmt.Sprintf("h%d", 1+i%3)))
	}

	var clients sync.WaitGroup
	failures := make(chan string, 10000)
	for c := range 200 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(c), 7))
			for range 5 {
				method, path, body := contradiction(rnd)
				code, answer, err := w.api.do(method, path, "application/json", []byte(body))
				switch {
				case err != nil:
					failures <- err.Error()
				case code >= 500 || code == http.StatusBadRequest:
					failures <- fmt.Sprintf("%s %s %s: %d %s", method, path, body, code, answer)
				}
			}
		})
	}
	clients.Wait()
	close(failures)
	for f := range failures {
		t.Errorf("a writer got an answer that nobody should get: %s", f)
	}

	for _, n := range nodes {
		if err := n.Detach(); err != nil {
			t.Fatal(err)
		}
	}
	// What the store says in the end is the intent; the endpoints that are left
	// get its addresses.
	var list struct{ Items []resource }
	if err := json.Unmarshal(w.api.must(t, "GET", "/v1/tenants/acme/endpoints?limit=1000", "", nil), &list); err != nil {
		t.Fatal(err)
	}
	there := map[string]resource{}
	taken := map[string]string{}
	for _, r := range list.Items {
		there["acme/"+r.Metadata.Name] = r
		var spec struct{ Network string }
		if err := json.Unmarshal(r.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		for _, addr := range append(r.Status.Addresses, r.Status.MAC) {
			if other, ok := taken[spec.Network+addr]; ok {
				t.Errorf("%s and %s both have %s in network %s", r.Metadata.Name, other, addr, spec.Network)
			}
			taken[spec.Network+addr] = r.Metadata.Name
		}
	}
	routed := w.exists("/v1/tenants/acme/routers/core")
	var alive []*node
	for _, n := range nodes {
		if _, ok := there[n.id]; ok {
			alive = append(alive, w.attach(n.id, n.Host().Name))
			w.realized(n.id)
		}
	}
	t.Logf("%d of 6 endpoints are left; router: %v", len(alive), routed)

	before := map[string][]flow{}
	for _, h := range []string{"h1", "h2", "h3"} {
		before[h] = w.flows(h)
	}
	for _, a := range alive {
		for _, b := range alive {
			if a == b {
				continue
			}
			if a.network == b.network || routed {
				a.mustPing(t, b.addresses[0])
			} else {
				a.mustNotPing(t, b.addresses[0])
			}
		}
	}
	// A controller that knows only the store comes to the same flows.
	w.killController()
	for h := range before {
		w.ofctl(h, "del-flows", "br-int")
	}
	w.startController()
	for h, flows := range before {
		eventually(t, 20*time.Second, func() error { return compareFlows(flows, w.flows(h)) })
	}
}

// contradiction is a change that others contradict.
func contradiction(rnd *rand.Rand) (method, path, body string) {
	endpoint := fmt.Sprintf("/v1/tenants/acme/endpoints/e%d", rnd.IntN(6))
	network := []string{"blue", "green"}[rnd.IntN(2)]
	switch rnd.IntN(6) {
	case 0:
		return "DELETE", endpoint, ""
	case 1: // the same address for whoever comes first
		return "PUT", endpoint, fmt.Sprintf(`{"spec":{"network":%q,"addresses":["10.0.%d.%d"]}}`, network, map[string]int{"blue": 0, "green": 1}[network], 20+rnd.IntN(3))
	case 2:
		return "PUT", endpoint, fmt.Sprintf(`{"spec":{"network":%q,"mac":"02:00:00:00:00:0%d"}}`, network, 1+rnd.IntN(3))
	case 3:
		return "PUT", "/v1/tenants/acme/routers/core", `{"spec":{"networks":["blue","green"]}}`
	case 4:
		return "DELETE", "/v1/tenants/acme/routers/core", ""
	default:
		return "PUT", endpoint, fmt.Sprintf(`{"spec":{"network":%q}}`, network)
	}
}
