package rest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// The document is in the repository so that every change of the API is seen.
//
//go:generate go test -run TestOpenAPI -update .
func TestOpenAPIDocumentIsUpToDate(t *testing.T) {
	a := newAPI(t, nil)
	got := []byte(a.must(200, "GET", "/openapi.json", "").body)
	const file = "../docs/openapi.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/openapi.json is not what the API serves; go generate ./rest writes it")
	}
	if yaml := a.must(200, "GET", "/openapi.yaml", "").body; !strings.Contains(yaml, "openapi: 3.1.0") {
		t.Errorf("%.200s", yaml)
	}
	if page := a.must(200, "GET", "/docs", "").body; strings.Contains(page, "http://") || strings.Contains(page, "https://") || !strings.Contains(page, "/v1/apply") {
		t.Error("the page of the API lacks something or needs something from elsewhere")
	}
}

// Every reference of the document leads somewhere, and every operation says what
// its problems look like.
func TestOpenAPIDocumentIsComplete(t *testing.T) {
	var doc struct {
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	body := newAPI(t, nil).must(200, "GET", "/openapi.json", "").body
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(body, `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("no schema %s", name)
		}
	}
	ids := map[any]bool{}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if op["responses"].(map[string]any)["default"] == nil || op["description"] == "" || ids[op["operationId"]] {
				t.Errorf("%s %s is incomplete: %v", method, path, op)
			}
			ids[op["operationId"]] = true
		}
	}
	if len(ids) < 32 {
		t.Errorf("only %d operations", len(ids))
	}
}

func TestSystem(t *testing.T) {
	a := newAPI(t, nil)
	if v := a.must(200, "GET", "/v1/version", "").body; !strings.Contains(v, `"version":"v0.0.0-test"`) {
		t.Error(v)
	}
	a.world.SetCookie(0xdeadbeef00000001, web1)
	for _, c := range []string{"0xdeadbeef00000001", "16045690981097406465"} {
		if got := a.must(200, "GET", "/v1/cookies/"+c, "").body; got != `{"cookie":"0xdeadbeef00000001","objects":[{"kind":"Endpoint","tenant":"acme","name":"web1"}]}`+"\n" {
			t.Error(got)
		}
	}
	if m := a.must(200, "GET", "/metrics", "").body; !strings.Contains(m, `dovetail_http_requests_total{code="200",method="GET"}`) {
		t.Errorf("metrics: %s", m)
	}
	if ans := a.must(200, "HEAD", "/v1/version", ""); ans.body != "" {
		t.Errorf("HEAD with a body")
	}
}

// panicking is a store with a bug.
type panicking struct{ rest.Intent }

func (panicking) Get(topology.Key) (topology.Object, error) { panic("a bug") }

func TestBugEndsOneRequestOnly(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.Intent = panicking{c.Intent} })
	a.problem(500, "GET", "/v1/tenants/x", "")
	a.must(200, "GET", "/healthz", "")
}

const shopManifest = `
kind: Endpoint
metadata: {tenant: acme, name: web1}
spec: {network: blue}
---
kind: Tenant
metadata: {name: acme}
---
kind: Network
metadata: {tenant: acme, name: blue}
spec:
  subnets:
  - cidr: 10.0.0.0/24
`

func TestApply(t *testing.T) {
	a := newAPI(t, nil)
	results := func(ans answer) string {
		var res rest.ApplyResult
		if err := json.Unmarshal([]byte(ans.body), &res); err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, r := range res.Results {
			s = append(s, string(r.Kind)+" "+r.Name+" "+r.Result)
		}
		return strings.Join(s, ", ")
	}
	const created = "Endpoint web1 created, Tenant acme created, Network blue created"
	if got := results(a.must(200, "POST", "/v1/apply?dryRun=true", shopManifest)); got != created {
		t.Error(got)
	}
	a.problem(404, "GET", "/v1/tenants/acme", "")
	if got := results(a.must(200, "POST", "/v1/apply?wait=realized", shopManifest)); got != created {
		t.Error(got)
	}
	if got := results(a.must(200, "POST", "/v1/apply", strings.Replace(shopManifest, "spec:\n", "spec:\n  mtu: 1400\n", 1))); got != "Endpoint web1 unchanged, Tenant acme unchanged, Network blue updated" {
		t.Error(got)
	}
	a.problem(400, "POST", "/v1/apply", "a: [")
	a.problem(400, "POST", "/v1/apply", "---\n---\n")
	a.problem(415, "POST", "/v1/apply", shopManifest, "Content-Type: application/x-www-form-urlencoded")
	a.problem(422, "POST", "/v1/apply", shopManifest+"---"+shopManifest)
	p := a.problem(422, "POST", "/v1/apply", "kind: Tenant\nmetadata: {name: other}\n---\nkind: Endpoint\nmetadata: {tenant: acme, name: web2}\nspec: {network: red}\n")
	if p.Errors[0].Location != "body[1].spec.network" {
		t.Errorf("%+v", p.Errors)
	}
	a.problem(404, "GET", "/v1/tenants/other", "") // all or none
	a.world.Set(web1, pendingOn("h2", "away"))
	if p := a.problem(504, "POST", "/v1/apply?wait=realized&timeout=1ms", shopManifest); len(p.Unrealized) != 1 || !strings.Contains(p.Detail, "1 of 3 objects") {
		t.Errorf("%+v", p)
	}
}

// Every kind can be listed, and its events chosen.
func TestEveryKindIsThere(t *testing.T) {
	a := newAPI(t, nil)
	doc := a.must(200, "GET", "/openapi.json", "").body
	var api struct {
		Paths map[string]struct {
			Get struct {
				Parameters []struct {
					Name   string
					Schema struct{ Enum []string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(doc), &api); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, p := range api.Paths["/v1/events"].Get.Parameters {
		if p.Name == "kind" {
			kinds = p.Schema.Enum
		}
	}
	for _, k := range topology.Kinds() {
		a.must(200, "GET", "/v1/"+k.Plural(), "")
		if !slices.Contains(kinds, string(k)) {
			t.Errorf("events of kind %s cannot be chosen", k)
		}
	}
}
