package integration

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// A router that is connected for services only: endpoints reach a service by IPv6, which
// is routed; from the service's own address and port nobody reaches them.
func TestAServiceDoesNotBegin(t *testing.T) {
	t.Parallel()
	e := startEdge(t, 0)
	e.must(e.router.AddAddress(netip.MustParsePrefix("2001:db8:f::53/64")))
	m := new(manifest)
	m.tenant("acme").network("acme", "blue", "2001:db8:1::/64").connected("acme", "core", "{name: edge, servicesOnly: true}", "blue").
		endpoint("acme", "a", "blue", "2001:db8:1::11")
	e.api.apply(t, m.String()+`---
kind: Service
metadata: {tenant: acme, name: web}
spec:
  gateway: edge
  address: "2001:db8:f::53"
  ports: [{protocol: tcp, port: 80}, {protocol: tcp, port: 81}]
`)
	n := e.attach("acme/a", "h3")
	e.realized(n.id)
	e.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/routers/core")
	service := netip.MustParseAddr("2001:db8:f::53")
	e.must(e.router.AddRoute(netip.MustParsePrefix("2001:db8:1::/64"), e.laneAddress(t, false)))
	s := e.serve(e.router, "tcp", service, 80)
	inside := e.serve(n, "tcp", n.inside(), 22)
	e.must(echoes(e.dial(n, s.Addr())))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if c, err := lab.Dial(ctx, e.router, inside.Addr(), netip.AddrPortFrom(service, 81)); err == nil {
		_ = c.Close()
		t.Error("the service has begun a connection")
	}
}
