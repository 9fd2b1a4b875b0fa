package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/rest/resttest"
	"github.com/dovetail-sdn/dovetail/topology"
)

func newClient(t *testing.T) (*client.Client, *resttest.World, *httptest.Server) {
	t.Helper()
	world := &resttest.World{}
	h, err := rest.New(rest.Config{Intent: &resttest.Store{}, Realization: world, Version: "v0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, world, srv
}

const manifest = `
kind: Tenant
metadata: {name: acme}
---
kind: Network
metadata: {tenant: acme, name: blue}
spec: {subnets: [{cidr: 10.0.0.0/24}]}
---
kind: Router
metadata: {tenant: acme, name: core}
spec: {networks: [blue]}
---
kind: Endpoint
metadata: {tenant: acme, name: web1}
spec: {network: blue, mac: "02:00:0a:01:00:05"}
---
kind: Host
metadata: {name: h1}
spec: {address: "tcp:192.0.2.1:6640"}
`

var web1 = topology.Key{Kind: topology.KindEndpoint, Tenant: "acme", Name: "web1"}

func TestEveryKind(t *testing.T) {
	c, _, _ := newClient(t)
	ctx := t.Context()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Version(ctx); err != nil || v.Version != "v0.0.0-test" {
		t.Errorf("%+v %v", v, err)
	}
	res, err := c.Apply(ctx, []byte(manifest), client.ApplyOptions{Wait: time.Minute})
	if err != nil || len(res) != 5 || res[3].Key != web1 || res[3].Result != "created" {
		t.Fatalf("%+v %v", res, err)
	}
	n, err := c.Networks("acme").Get(ctx, "blue")
	if err != nil || n.Status.VNI == 0 || n.Status.Subnets[0].Gateway != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("%+v %v", n, err)
	}
	if e, err := c.Endpoints("acme").Patch(ctx, "web1", map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}, client.WriteOptions{}); err != nil || e.Metadata.Labels["a"] != "b" {
		t.Errorf("%+v %v", e, err)
	}
	for range 5 {
		if _, err := c.Tenants().Put(ctx, "globex", nil, topology.TenantSpec{Description: "x"}, client.WriteOptions{Wait: time.Second}); err != nil {
			t.Error(err)
		}
	}
	if all, err := c.Tenants().List(ctx, client.ListOptions{PageSize: 1}); err != nil || len(all) != 2 || all[1].Metadata.Name != "globex" {
		t.Errorf("%+v %v", all, err)
	}
	if h, err := c.Hosts().List(ctx, client.ListOptions{}); err != nil || len(h) != 1 || len(h[0].Status.DatapathID) != 16 {
		t.Errorf("%+v %v", h, err)
	}
	fw := topology.ServiceFunctionSpec{Type: topology.FunctionRouted, Instances: []topology.Instance{{In: "web1"}}}
	if f, err := c.ServiceFunctions("acme").Put(ctx, "fw", nil, fw, client.WriteOptions{}); err != nil || f.Status.Instances[0].Number != 1 {
		t.Errorf("%+v %v", f, err)
	}
	leads := topology.ChainSpec{Router: "core", Functions: []string{"fw"}, Protocol: "tcp", Ports: []topology.PortRange{{First: 80, Last: 81}}}
	if _, err := c.Chains("acme").Put(ctx, "c", nil, leads, client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	if got, err := c.Chains("").List(ctx, client.ListOptions{}); err != nil || len(got) != 1 || got[0].Spec.Ports[0] != leads.Ports[0] || got[0].Status.Hops[0].Function != "acme/fw" {
		t.Errorf("%+v %v", got, err)
	}
	if err := c.Chains("acme").Delete(ctx, "c", client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	if err := c.ServiceFunctions("acme").Delete(ctx, "fw", client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	if err := c.Endpoints("acme").Delete(ctx, "web1", client.WriteOptions{Wait: time.Second}); err != nil {
		t.Error(err)
	}
	if _, err := c.Endpoints("acme").Get(ctx, "web1"); !client.IsNotFound(err) {
		t.Errorf("%v", err)
	}
}

// The types are declared twice, here and in rest. This holds them together.
func TestTypesAreThoseOfTheAPI(t *testing.T) {
	c, world, _ := newClient(t)
	if _, err := c.Apply(t.Context(), []byte(manifest), client.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	world.Set(web1, topology.Status{
		Phase: topology.PhasePending, Since: resttest.Since, Reason: "r", Warnings: []string{"w"},
		Hosts:   []topology.HostPart{{Name: "h1", Error: "e"}},
		Binding: &topology.Binding{Endpoint: web1, Host: "h1", Port: "p", OFPort: 3, Since: resttest.Since},
	})
	for path, into := range map[string]any{
		"/v1/tenants/acme":                &client.Tenant{},
		"/v1/tenants/acme/networks/blue":  &client.Network{},
		"/v1/tenants/acme/routers/core":   &client.Router{},
		"/v1/tenants/acme/endpoints/web1": &client.Endpoint{},
		"/v1/hosts/h1":                    &client.Host{},
	} {
		b, _, err := c.Do(t.Context(), client.Request{Method: "GET", Path: path})
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		again, _ := json.Marshal(into)
		if string(again) != strings.TrimSpace(string(b)) {
			t.Errorf("%s:\n%s, client has\n%s", path, b, again)
		}
	}
}

func TestProblemsAreTyped(t *testing.T) {
	c, world, _ := newClient(t)
	ctx := t.Context()
	if _, err := c.Apply(ctx, []byte(manifest), client.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	eps := c.Endpoints("acme")
	spec := topology.EndpointSpec{Network: "blue"}
	now, err := eps.Get(ctx, "web1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eps.Put(ctx, "web1", nil, spec, client.WriteOptions{IfRevision: now.Metadata.Revision}); err != nil {
		t.Error(err)
	}
	if _, err := eps.Put(ctx, "web1", nil, spec, client.WriteOptions{IfRevision: now.Metadata.Revision}); !client.IsStale(err) {
		t.Errorf("%v", err)
	}
	if _, err := eps.Put(ctx, "web1", nil, spec, client.WriteOptions{IfNew: true}); !client.IsStale(err) {
		t.Errorf("%v", err)
	}
	spec.Addresses = now.Status.Addresses
	_, err = eps.Put(ctx, "web2", nil, spec, client.WriteOptions{})
	if p, ok := client.AsProblem(err); !ok || !client.IsConflict(err) || p.Holder == nil || *p.Holder != web1 {
		t.Errorf("%v", err)
	}
	if err := c.Tenants().Delete(ctx, "acme", client.WriteOptions{}); !client.IsConflict(err) {
		t.Errorf("%v", err)
	}
	world.Set(web1, topology.Status{Phase: topology.PhasePending, Reason: "not bound"})
	err = eps.Wait(ctx, "web1", 5*time.Millisecond)
	if p, ok := client.AsProblem(err); !ok || !client.IsNotRealized(err) || p.Unrealized[0].Object != web1 {
		t.Errorf("%v", err)
	}
	world.SetCookie(7, web1)
	if keys, err := c.Whose(ctx, 7); err != nil || len(keys) != 1 || keys[0] != web1 {
		t.Errorf("%v %v", keys, err)
	}
}

func TestAnotherServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	c, err := client.New(srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "is "+strings.TrimPrefix(srv.URL, "http://")+" a Dovetail controller?") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "127.0.0.1:8181", "ftp://x", "http://"} {
		if _, err := client.New(bad, nil); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestEventsGoOnWhenTheConnectionBreaks(t *testing.T) {
	c, world, srv := newClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	connected := make(chan struct{}, 10)
	got := make(chan topology.Event, 10)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(ctx, client.EventOptions{Tenant: "acme", Connected: func() { connected <- struct{}{} }}, func(ev topology.Event) error {
			got <- ev
			return nil
		})
	}()
	<-connected
	for world.Readers() == 0 {
		time.Sleep(time.Millisecond)
	}
	world.Emit(topology.EventBound, web1, "h1", "bound")
	if ev := <-got; ev.Sequence != 1 || ev.Object != web1 || ev.Host != "h1" {
		t.Errorf("%+v", ev)
	}
	srv.CloseClientConnections()
	world.Emit(topology.EventUnbound, web1, "h1", "unbound")
	if ev := <-got; ev.Sequence != 2 {
		t.Errorf("%+v", ev)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	stop := errors.New("stop")
	err := c.Events(t.Context(), client.EventOptions{After: 1}, func(topology.Event) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
