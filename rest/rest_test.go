package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/rest/resttest"
	"github.com/dovetail-sdn/dovetail/topology"
)

// api is a server on fakes.
type api struct {
	t     *testing.T
	url   string
	store *resttest.Store
	world *resttest.World
}

func newAPI(t *testing.T, change func(*rest.Config)) *api {
	t.Helper()
	reg := prometheus.NewRegistry()
	a := &api{t: t, store: &resttest.Store{}, world: &resttest.World{}}
	cfg := rest.Config{Intent: a.store, Realization: a.world, Metrics: reg, Register: reg, Version: "v0.0.0-test"}
	if change != nil {
		change(&cfg)
	}
	h, err := rest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value". A body that begins with { or [ is
// JSON, any other YAML.
func (a *api) do(method, path, body string, headers ...string) answer {
	a.t.Helper()
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	switch {
	case body == "":
	case method == http.MethodPatch:
		req.Header.Set("Content-Type", "application/merge-patch+json")
	case path == "/v1/apply" || strings.HasPrefix(path, "/v1/apply?"):
		req.Header.Set("Content-Type", "application/yaml")
	default:
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// must fails the test if the status is another.
func (a *api) must(status int, method, path, body string, headers ...string) answer {
	a.t.Helper()
	ans := a.do(method, path, body, headers...)
	if ans.status != status {
		a.t.Fatalf("%s %s: %d, not %d: %s", method, path, ans.status, status, ans.body)
	}
	return ans
}

// problem is must for an error: it checks the form of the problem details.
func (a *api) problem(status int, method, path, body string, headers ...string) rest.Problem {
	a.t.Helper()
	ans := a.must(status, method, path, body, headers...)
	if ct := ans.header.Get("Content-Type"); ct != "application/problem+json" {
		a.t.Errorf("%s %s: Content-Type %q", method, path, ct)
	}
	var p rest.Problem
	if err := json.Unmarshal([]byte(ans.body), &p); err != nil {
		a.t.Fatalf("%s: %v", ans.body, err)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || !strings.HasPrefix(p.Type, "urn:dovetail:problem:") {
		a.t.Errorf("%s %s: incomplete problem: %s", method, path, ans.body)
	}
	return p
}

// shop puts a tenant with a network and an endpoint.
func (a *api) shop() {
	a.t.Helper()
	a.must(201, "PUT", "/v1/tenants/acme", `{"spec":{}}`)
	a.must(201, "PUT", "/v1/tenants/acme/networks/blue", `{"spec":{"subnets":[{"cidr":"10.0.0.0/24"}]}}`)
	a.must(201, "PUT", "/v1/tenants/acme/endpoints/web1", `{"metadata":{"labels":{"app":"web"}},"spec":{"network":"blue","addresses":["10.0.0.5"]}}`)
}

var web1 = topology.Key{Kind: topology.KindEndpoint, Tenant: "acme", Name: "web1"}

func TestCreateReadChangeDelete(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	ans := a.must(200, "GET", "/v1/tenants/acme/endpoints/web1", "")
	var got topology.Resource[topology.EndpointSpec, topology.EndpointStatus]
	if err := json.Unmarshal([]byte(ans.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "Endpoint" || got.Metadata.Tenant != "acme" || got.Metadata.Labels["app"] != "web" || got.Spec.Network != "blue" ||
		got.Status.Phase != "realized" || got.Status.InterfaceID != "acme/web1" || got.Status.Addresses[0].String() != "10.0.0.5" || got.Status.MAC.IsZero() {
		t.Errorf("got %s", ans.body)
	}
	// What was read can be put back, and changes nothing.
	again := a.must(200, "PUT", "/v1/tenants/acme/endpoints/web1", ans.body)
	if again.header.Get("ETag") != ans.header.Get("ETag") || again.body != ans.body {
		t.Errorf("put back: %s, was %s", again.body, ans.body)
	}
	if loc := a.must(201, "PUT", "/v1/tenants/globex", `{"spec":{}}`).header.Get("Location"); loc != "/v1/tenants/globex" {
		t.Errorf("Location %q", loc)
	}
	patched := a.must(200, "PATCH", "/v1/tenants/acme/endpoints/web1", `{"metadata":{"labels":{"app":null,"tier":"front"}}}`)
	if !strings.Contains(patched.body, `"labels":{"tier":"front"}`) || !strings.Contains(patched.body, `"addresses":["10.0.0.5"]`) {
		t.Errorf("patched %s", patched.body)
	}
	a.must(204, "DELETE", "/v1/tenants/acme/endpoints/web1", "")
	a.problem(404, "GET", "/v1/tenants/acme/endpoints/web1", "")
	a.problem(404, "DELETE", "/v1/tenants/acme/endpoints/web1", "")
	a.problem(404, "PATCH", "/v1/tenants/acme/endpoints/web1", `{"spec":{}}`)
}

func TestAllocationsAreInStatus(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	a.must(201, "PUT", "/v1/tenants/acme/routers/core", `{"spec":{"networks":["blue"]}}`)
	a.must(201, "PUT", "/v1/hosts/h1", `{"spec":{"address":"tcp:192.0.2.1:6640"}}`)
	for path, want := range map[string]string{
		"/v1/tenants/acme/networks/blue": `"subnets":[{"cidr":"10.0.0.0/24","gateway":"10.0.0.1"}],"mtu":1450`,
		"/v1/tenants/acme/routers/core":  `"id":`,
		"/v1/hosts/h1":                   `"datapathID":"0000000000000001"`,
	} {
		if ans := a.must(200, "GET", path, ""); !strings.Contains(ans.body, want) {
			t.Errorf("%s: no %s in %s", path, want, ans.body)
		}
	}
}

func TestConditionalRequests(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	const path = "/v1/tenants/acme/endpoints/web1"
	body := `{"spec":{"network":"blue"}}`
	first := a.must(200, "GET", path, "").header.Get("ETag")
	a.must(304, "GET", path, "", "If-None-Match: "+first)
	a.must(304, "GET", path, "", `If-None-Match: "1.0", W/`+first)
	a.must(200, "GET", path, "", `If-None-Match: "1.0"`)
	if ans := a.must(304, "GET", path, "", "If-None-Match: "+first); ans.header.Get("ETag") != first || ans.body != "" {
		t.Errorf("304 with %q, %q", ans.header, ans.body)
	}
	// A status that changes makes a GET new and leaves If-Match alone.
	a.world.Set(web1, topology.Status{Phase: topology.PhasePending, Reason: "not bound"})
	second := a.must(200, "GET", path, "", "If-None-Match: "+first).header.Get("ETag")
	if second == first {
		t.Error("the ETag hides a change of status")
	}
	a.must(200, "PUT", path, body, "If-Match: "+first)
	p := a.problem(412, "PUT", path, body, "If-Match: "+second)
	if p.Type != "urn:dovetail:problem:stale" || p.Object == nil || *p.Object != web1 {
		t.Errorf("%+v", p)
	}
	a.problem(412, "PATCH", path, `{"spec":{}}`, "If-Match: "+second)
	a.problem(412, "DELETE", path, "", "If-Match: "+second)
	a.must(200, "PATCH", path, `{"metadata":{"labels":{"x":"y"}}}`, "If-Match: *")
	a.problem(412, "PUT", path, body, "If-None-Match: *")
	a.problem(412, "PUT", path+"2", body, "If-Match: *")
	a.problem(412, "PUT", path+"2", body, `If-Match: "3"`)
	a.must(201, "PUT", path+"2", body, "If-None-Match: *")
	a.problem(422, "PUT", path, body, "If-Match: 17")
	a.problem(422, "PUT", path, body, `If-None-Match: "17"`)
	now := a.must(200, "GET", path, "").header.Get("ETag")
	a.must(204, "DELETE", path, "", "If-Match: "+now)
}

func TestEveryMistakeHasItsAnswer(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.MaxBody = 2000 })
	a.shop()
	const (
		ep  = "/v1/tenants/acme/endpoints/web2"
		net = "/v1/tenants/acme/networks/blue"
	)
	tests := []struct {
		name, method, path, body string
		header                   string
		status                   int
		location, message        string // of the first error
	}{
		{name: "nothing there", method: "GET", path: "/v1/nothing", status: 404},
		{name: "empty part of a path", method: "PUT", path: "/v1//tenants/x", body: `{"spec":{}}`, status: 404},
		{name: "POST to a stream", method: "POST", path: "/v1/events", status: 405},
		{name: "another site", method: "PUT", path: ep, body: `{"spec":{"network":"blue"}}`, header: "Origin: https://evil.example", status: 403},
		{name: "manifest without a type", method: "POST", path: "/v1/apply", body: "kind: Tenant", header: "Content-Type: ", status: 415},
		{name: "no such method", method: "POST", path: ep, body: `{}`, status: 405},
		{name: "body too large", method: "PUT", path: ep, body: `{"spec":"` + strings.Repeat("x", 3000) + `"}`, status: 413},
		{name: "form", method: "PUT", path: ep, body: `{}`, header: "Content-Type: application/x-www-form-urlencoded", status: 415},
		{name: "JSON patch", method: "PATCH", path: ep, body: `[]`, header: "Content-Type: application/json-patch+json", status: 415},
		{name: "no body", method: "PUT", path: ep, status: 400},
		{name: "no JSON", method: "PUT", path: ep, body: `{"spec":`, status: 400, location: "body", message: "unexpected EOF"},
		{name: "two values", method: "PUT", path: ep, body: `{"spec":{}} {}`, status: 400, location: "body", message: "more after"},
		{name: "twice", method: "PUT", path: ep, body: `{"spec":{},"spec":{}}`, status: 400, location: "body", message: `"spec" appears twice`},
		{name: "deep", method: "PUT", path: ep, body: strings.Repeat("[", 500) + strings.Repeat("]", 500), status: 400, location: "body", message: "deeper"},
		{name: "not an object", method: "PUT", path: ep, body: `[]`, status: 422, location: "body", message: "must be an object"},
		{name: "null", method: "PUT", path: ep, body: `null`, status: 422, location: "body", message: "must be an object"},
		{name: "unknown field", method: "PUT", path: ep, body: `{"spec":{"network":"blue","mak":"x"}}`, status: 422, location: "body.spec.mak", message: "there are addresses, allowedAddresses, interfaceID, mac, network"},
		{name: "unknown deep field", method: "PUT", path: net, body: `{"spec":{"subnets":[{"cidr":"10.0.0.0/24"},{"cird":"10.0.0.0/24"}]}}`, status: 422, location: "body.spec.subnets[1].cird", message: "not known"},
		{name: "other case", method: "PUT", path: ep, body: `{"Spec":{}}`, status: 422, location: "body.Spec", message: "not known"},
		{name: "no prefix", method: "PUT", path: net, body: `{"spec":{"subnets":[{"cidr":"10.0.0.0"}]}}`, status: 422, location: "body.spec.subnets[0].cidr", message: "10.0.0.0/24"},
		{name: "no address", method: "PUT", path: ep, body: `{"spec":{"network":"blue","addresses":["10.0.0.256"]}}`, status: 422, location: "body.spec.addresses[0]", message: "not an IP address"},
		{name: "no MAC", method: "PUT", path: ep, body: `{"spec":{"network":"blue","mac":"zz"}}`, status: 422, location: "body.spec.mac", message: "02:00:0a:01:00:05"},
		{name: "negative VNI", method: "PUT", path: net, body: `{"spec":{"vni":-1}}`, status: 422, location: "body.spec.vni", message: "0 to 4294967295"},
		{name: "fraction", method: "PUT", path: net, body: `{"spec":{"mtu":1.5}}`, status: 422, location: "body.spec.mtu", message: "whole number"},
		{name: "number as text", method: "PUT", path: net, body: `{"spec":{"mtu":"1500"}}`, status: 422, location: "body.spec.mtu", message: "must be a number, not a string"},
		{name: "list with null", method: "PUT", path: ep, body: `{"spec":{"network":"blue","addresses":[null]}}`, status: 422, location: "body.spec.addresses[0]", message: "null"},
		{name: "label", method: "PUT", path: ep, body: `{"metadata":{"labels":{"a":1}},"spec":{"network":"blue"}}`, status: 422, location: "body.metadata.labels.a", message: "must be a string"},
		{name: "other name", method: "PUT", path: ep, body: `{"metadata":{"name":"web3"},"spec":{"network":"blue"}}`, status: 422, location: "body.metadata.name", message: `must be "web2"`},
		{name: "other kind", method: "PUT", path: ep, body: `{"kind":"Network","spec":{"network":"blue"}}`, status: 422, location: "body.kind", message: `must be "Endpoint"`},
		{name: "patch renames", method: "PATCH", path: "/v1/tenants/acme/endpoints/web1", body: `{"metadata":{"name":"web3"}}`, status: 422, location: "body.metadata.name", message: `must be "web1"`},
		{name: "patch unknown", method: "PATCH", path: "/v1/tenants/acme/endpoints/web1", body: `{"Spec":{"mac":"x"}}`, status: 422, location: "body.Spec", message: "not known"},
		{name: "patch is a list", method: "PATCH", path: "/v1/tenants/acme/endpoints/web1", body: `[]`, status: 422, location: "body", message: "must be an object"},
		{name: "invalid", method: "PUT", path: net, body: `{"spec":{"subnets":[{"cidr":"10.0.0.0/24","gateway":"10.1.0.1"}]}}`, status: 422, location: "body.spec.subnets[0].gateway", message: "not in 10.0.0.0/24"},
		{name: "no network", method: "PUT", path: ep, body: `{"spec":{"network":"red"}}`, status: 422, location: "body.spec.network", message: "Network acme/red does not exist"},
		{name: "no tenant", method: "PUT", path: "/v1/tenants/nobody/networks/blue", body: `{"spec":{}}`, status: 404},
		{name: "list of no tenant", method: "GET", path: "/v1/tenants/nobody/networks", status: 404},
		{name: "conflict", method: "PUT", path: ep, body: `{"spec":{"network":"blue","addresses":["10.0.0.5"]}}`, status: 409, location: "body.spec.addresses[0]", message: "taken"},
		{name: "unknown parameter", method: "PUT", path: ep + "?waitt=realized", body: `{"spec":{"network":"blue"}}`, status: 422, location: "query.waitt", message: "wait, timeout"},
		{name: "bad wait", method: "PUT", path: ep + "?wait=done", body: `{"spec":{"network":"blue"}}`, status: 422, location: "query.wait", message: "realized"},
		{name: "long wait", method: "PUT", path: ep + "?wait=realized&timeout=6m", body: `{"spec":{"network":"blue"}}`, status: 422, location: "query.timeout", message: "from 0s to 5m"},
		{name: "bad wait time", method: "PUT", path: ep + "?wait=realized&timeout=10", body: `{"spec":{"network":"blue"}}`, status: 422, location: "query.timeout", message: "like 10s"},
		{name: "bad limit", method: "GET", path: "/v1/endpoints?limit=0", status: 422, location: "query.limit", message: "1"},
		{name: "bad continue", method: "GET", path: "/v1/endpoints?continue=!", status: 422, location: "query.continue", message: "unchanged"},
		{name: "bad selector", method: "GET", path: "/v1/endpoints?labelSelector=,", status: 422, location: "query.labelSelector", message: "a=b"},
		{name: "networks by network", method: "GET", path: "/v1/networks?network=blue", status: 422, location: "query.network", message: "only endpoints and routers"},
		{name: "bad cookie", method: "GET", path: "/v1/cookies/zz", status: 422, location: "path.cookie", message: "0x"},
		{name: "unknown cookie", method: "GET", path: "/v1/cookies/0x77", status: 404},
		{name: "bad event id", method: "GET", path: "/v1/events", header: "Last-Event-ID: x", status: 422, location: "header.Last-Event-ID", message: "id of an event"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := *a
			b.t = t
			var headers []string
			if tt.header != "" {
				headers = []string{tt.header}
			}
			before := len(a.store.List(topology.KindEndpoint, ""))
			p := b.problem(tt.status, tt.method, tt.path, tt.body, headers...)
			if after := len(a.store.List(topology.KindEndpoint, "")); after != before {
				t.Errorf("something was stored: %d endpoints, were %d", after, before)
			}
			if tt.location == "" {
				return
			}
			if len(p.Errors) == 0 || p.Errors[0].Location != tt.location || !strings.Contains(p.Errors[0].Message, tt.message) {
				t.Errorf("errors %+v, want %s: …%s…", p.Errors, tt.location, tt.message)
			}
		})
	}
	if got := a.must(405, "POST", ep, `{}`).header.Get("Allow"); got != "GET, PUT, PATCH, DELETE" {
		t.Errorf("Allow: %q", got)
	}
}

func TestConflictsNameTheOthers(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	p := a.problem(409, "PUT", "/v1/tenants/acme/endpoints/web2", `{"spec":{"network":"blue","addresses":["10.0.0.5"]}}`)
	if p.Holder == nil || *p.Holder != web1 || !strings.Contains(p.Detail, "Endpoint acme/web1") {
		t.Errorf("%+v", p)
	}
	p = a.problem(409, "DELETE", "/v1/tenants/acme/networks/blue", "")
	if len(p.ReferencedBy) != 1 || p.ReferencedBy[0] != web1 {
		t.Errorf("%+v", p)
	}
}

const gatewayManifest = `
{kind: ExternalNetwork, metadata: {name: internet}, spec: {physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.10-192.0.2.20]}], bgp: {asn: 65000, peers: [{address: 192.0.2.1, asn: 4200000000}]}}}
---
{kind: Gateway, metadata: {name: edge}, spec: {externalNetwork: internet, hosts: [{name: h1, weight: 1}, {name: h2, weight: 1}]}}
---
{kind: Router, metadata: {tenant: acme, name: core}, spec: {networks: [blue], gateways: [{name: edge, servicesOnly: true}]}}
---
{kind: Service, metadata: {tenant: acme, name: dns}, spec: {gateway: edge, address: 203.0.113.53, insideAddress: 10.9.0.53, ports: [{protocol: udp, port: 53}]}}
`

func TestGatewaysAndServices(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	edge, internet := topology.Key{Kind: topology.KindGateway, Name: "edge"}, topology.Key{Kind: topology.KindExternalNetwork, Name: "internet"}
	a.must(200, "POST", "/v1/apply", gatewayManifest)
	a.world.Set(edge, topology.Status{Phase: topology.PhaseRealized, Lanes: []topology.LaneStatus{{Host: "h1", Active: "h2"}, {Host: "h2"}}})
	a.world.Set(internet, topology.Status{Phase: topology.PhaseRealized, Peers: []topology.PeerStatus{{Address: netip.MustParseAddr("192.0.2.1"), Since: resttest.Since, Established: true, Announced: 3}}})
	for path, want := range map[string][]string{
		"/v1/gateways/edge":              {`"id":`, `{"host":"h1","mac":"0e:`, `"active":"h2"}`},
		"/v1/external-networks/internet": {`"bgp":{"asn":65000,"peers":[{"address":"192.0.2.1","asn":4200000000}]}`, `"peers":[{"address":"192.0.2.1","established":true,"since":"`, `"announced":3}]`},
		"/v1/tenants/acme/services/dns":  {`"ports":[{"protocol":"udp","port":53}]`, `"externalNetwork":"internet","insideAddress":"10.9.0.53"`},
		"/v1/tenants/acme/routers/core":  {`"servicesOnly":true`},
	} {
		ans := a.must(200, "GET", path, "")
		for _, s := range want {
			if !strings.Contains(ans.body, s) {
				t.Errorf("%s: no %s in %s", path, s, ans.body)
			}
		}
		if n := strings.Count(ans.body, `"active"`); path == "/v1/gateways/edge" && n != 1 {
			t.Errorf("%d lanes are somewhere: %s", n, ans.body)
		}
		if again := a.must(200, "PUT", path, ans.body); again.body != ans.body { // what was read can be put back
			t.Errorf("%s: put back: %s, was %s", path, again.body, ans.body)
		}
	}
	p := a.problem(409, "PUT", "/v1/tenants/acme/networks/blue", `{"spec":{"subnets":[{"cidr":"10.0.0.0/8"}]}}`)
	if p.Holder == nil || p.Holder.Kind != topology.KindService || p.Holder.Name != "dns" {
		t.Errorf("%+v", p)
	}
	if p := a.problem(422, "PATCH", "/v1/external-networks/internet", `{"spec":{"bgp":{"asn":0}}}`); p.Errors[0].Location != "body.spec.bgp.asn" {
		t.Errorf("%+v", p)
	}
	if p := a.problem(422, "PUT", "/v1/external-networks/internet", `{"spec":{"bgp":7}}`); p.Errors[0].Location != "body.spec.bgp" {
		t.Errorf("%+v", p)
	}
	if ans := a.must(200, "PATCH", "/v1/external-networks/internet", `{"spec":{"bgp":null}}`); strings.Contains(ans.body, "asn") {
		t.Errorf("it still announces: %s", ans.body)
	}
	p = a.problem(409, "DELETE", "/v1/gateways/edge", "")
	if len(p.ReferencedBy) != 2 || p.ReferencedBy[1].Kind != topology.KindService {
		t.Errorf("%+v", p)
	}
}

const chainManifest = `
{kind: Router, metadata: {tenant: acme, name: core}, spec: {networks: [blue]}}
---
{kind: ServiceFunction, metadata: {tenant: acme, name: fw}, spec: {type: routed, instances: [{in: web1, weight: 3}], probe: {protocol: tcp, port: 80}}}
---
{kind: Chain, metadata: {tenant: acme, name: c}, spec: {router: core, functions: [fw], sources: [{labels: {app: web}}, {cidr: 192.0.2.0/24}], destinations: [{external: true}], protocol: tcp, ports: ['80', 8000-8100]}}
`

func TestChains(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	a.must(200, "POST", "/v1/apply", chainManifest)
	for path, want := range map[string][]string{
		"/v1/tenants/acme/service-functions/fw": {`"instances":[{"in":"web1","weight":3}]`, `"probe":{"protocol":"tcp","port":80}`, `"instances":[{"in":"web1","number":1,"healthy":false}]`},
		"/v1/tenants/acme/chains/c":             {`"ports":["80","8000-8100"]`, `"sources":[{"labels":{"app":"web"}},{"cidr":"192.0.2.0/24"}]`, `"priority":5000`, `"hops":[{"function":"acme/fw","slot":1,"vlan":1}]`},
	} {
		ans := a.must(200, "GET", path, "")
		for _, s := range want {
			if !strings.Contains(ans.body, s) {
				t.Errorf("%s: no %s in %s", path, s, ans.body)
			}
		}
		if again := a.must(200, "PUT", path, ans.body); again.body != ans.body { // what was read can be put back
			t.Errorf("%s: put back: %s, was %s", path, again.body, ans.body)
		}
	}
	p := a.problem(409, "PUT", "/v1/tenants/acme/service-functions/x", `{"spec":{"type":"tap","instances":[{"in":"web1"}]}}`)
	if p.Holder == nil || p.Holder.Kind != topology.KindServiceFunction || p.Errors[0].Location != "body.spec.instances[0].in" {
		t.Errorf("%+v", p)
	}
	p = a.problem(409, "DELETE", "/v1/tenants/acme/service-functions/fw", "")
	if len(p.ReferencedBy) != 1 || p.ReferencedBy[0].Kind != topology.KindChain {
		t.Errorf("%+v", p)
	}
	for body, at := range map[string]string{
		`{"spec":{"router":"core","functions":["other/fw"]}}`:                                     "body.spec.functions[0]",
		`{"spec":{"router":"r9","functions":["fw"]}}`:                                             "body.spec.router",
		`{"spec":{"router":"core","functions":["fw"],"protocol":"tcp","ports":["80","x"]}}`:       "body.spec.ports[1]",
		`{"spec":{"router":"core","functions":["fw"],"sources":[{"network":"n","cidr":"::/0"}]}}`: "body.spec.sources[0]",
	} {
		if p := a.problem(422, "PUT", "/v1/tenants/acme/chains/x", body); p.Errors[0].Location != at {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

func TestStoreAway(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	a.store.SetDown(io.ErrUnexpectedEOF)
	for _, r := range [][3]string{
		{"PUT", "/v1/tenants/acme", `{"spec":{"description":"x"}}`},
		{"DELETE", "/v1/tenants/acme/endpoints/web1", ""},
		{"POST", "/v1/apply", "kind: Tenant\nmetadata: {name: x}"},
		{"GET", "/readyz", ""},
	} {
		if p := a.problem(503, r[0], r[1], r[2]); !strings.Contains(p.Detail, "unexpected EOF") {
			t.Errorf("%s: %s", r[1], p.Detail)
		}
	}
	a.must(200, "GET", "/v1/tenants/acme", "")
	a.must(200, "GET", "/healthz", "")
	a.store.SetDown(nil)
	a.must(200, "GET", "/readyz", "")
	a.world.SetReady(io.EOF)
	a.problem(503, "GET", "/readyz", "")
}

func TestLists(t *testing.T) {
	a := newAPI(t, nil)
	for _, tenant := range []string{"acme", "globex"} {
		a.must(201, "PUT", "/v1/tenants/"+tenant, `{"spec":{}}`)
		for _, n := range []string{"blue", "red"} {
			a.must(201, "PUT", "/v1/tenants/"+tenant+"/networks/"+n, `{"spec":{}}`)
		}
		for _, e := range []string{"db1", "web1", "web2"} {
			net := map[bool]string{true: "red", false: "blue"}[e == "db1"]
			a.must(201, "PUT", "/v1/tenants/"+tenant+"/endpoints/"+e, `{"metadata":{"labels":{"app":"`+e[:2]+`","n":"`+e+`"}},"spec":{"network":"`+net+`"}}`)
		}
	}
	a.must(201, "PUT", "/v1/tenants/acme/routers/core", `{"spec":{"networks":["red"]}}`)
	names := func(path string) (list []string, next string) {
		var page struct {
			Kind  string
			Items []struct{ Metadata topology.Metadata }
			Next  string `json:"continue"`
		}
		ans := a.must(200, "GET", path, "")
		if err := json.Unmarshal([]byte(ans.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			list = append(list, i.Metadata.Tenant+"/"+i.Metadata.Name)
		}
		return list, page.Next
	}
	for path, want := range map[string]string{
		"/v1/tenants":                                    "/acme /globex",
		"/v1/tenants/acme/endpoints":                     "acme/db1 acme/web1 acme/web2",
		"/v1/endpoints?namePrefix=web":                   "acme/web1 acme/web2 globex/web1 globex/web2",
		"/v1/endpoints?network=red":                      "acme/db1 globex/db1",
		"/v1/routers?network=red":                        "acme/core",
		"/v1/routers?network=blue":                       "",
		"/v1/endpoints?labelSelector=app%3Dwe,n!%3Dweb2": "acme/web1 globex/web1",
		"/v1/endpoints?labelSelector=!app":               "",
		"/v1/endpoints?labelSelector=n,app%3Ddb":         "acme/db1 globex/db1",
	} {
		list, next := names(path)
		if got := strings.Join(list, " "); got != want || next != "" {
			t.Errorf("%s: %q, want %q (continue %q)", path, got, want, next)
		}
	}
	if ans := a.must(200, "GET", "/v1/hosts", ""); ans.body != `{"kind":"HostList","items":[]}`+"\n" {
		t.Errorf("empty list: %s", ans.body)
	}
	var all []string
	next := ""
	for range 10 {
		page, more := names("/v1/endpoints?limit=2&continue=" + next)
		if len(page) > 2 {
			t.Fatalf("page of %d", len(page))
		}
		all = append(all, page...)
		if next = more; next == "" {
			break
		}
		// What goes before the next page must not move it.
		if len(all) == 2 {
			a.must(204, "DELETE", "/v1/tenants/acme/endpoints/web1", "")
		}
	}
	if got := strings.Join(all, " "); got != "acme/db1 acme/web1 acme/web2 globex/db1 globex/web1 globex/web2" {
		t.Errorf("pages: %s", got)
	}
}
