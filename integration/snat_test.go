package integration

import (
	"bytes"

	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Acceptance 1 of gateways: tenants with the same addresses reach the outside with
// different ones, and only those are seen there.
func TestTenantsReachTheOutside(t *testing.T) {
	t.Parallel()
	e := startEdge(t, 0)
	m := new(manifest)
	for _, tenant := range []string{"acme", "globex"} {
		m.tenant(tenant).network(tenant, "blue", "10.0.0.0/24").connected(tenant, "core", "{name: edge}", "blue").
			endpoint(tenant, "a", "blue", "10.0.0.11").endpoint(tenant, "b", "blue", "10.0.0.12").endpoint(tenant, "c", "blue", "10.0.0.13")
	}
	e.api.apply(t, m.String())
	var nodes []*node
	for _, tenant := range []string{"acme", "globex"} {
		for i, name := range []string{"a", "b", "c"} {
			nodes = append(nodes, e.attach(tenant+"/"+name, []string{"h1", "h2", "h3"}[i]))
		}
	}
	for _, n := range nodes {
		e.realized(n.id)
	}
	e.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/routers/core", "/v1/tenants/globex/routers/core")
	s := e.serve(e.server, "tcp", serverAddr, 80)
	seen := map[string]netip.Addr{}
	for i, n := range nodes {
		n.mustPing(t, serverAddr.String())
		e.dial(n, s.Addr())
		eventually(t, 5*time.Second, func() error {
			if got := len(s.Clients()); got != i+1 {
				return fmt.Errorf("the server has seen %d clients, want %d", got, i+1)
			}
			return nil
		})
		tenant, _, _ := strings.Cut(n.id, "/")
		from := s.Clients()[i].Addr()
		if was, ok := seen[tenant]; ok && was != from {
			t.Errorf("%s is seen as %s, others of its tenant as %s", n.id, from, was)
		}
		seen[tenant] = from
	}
	for _, tenant := range []string{"acme", "globex"} {
		at := e.api.get(t, "/v1/tenants/"+tenant+"/routers/core")
		if want := at.Status.Gateways[0].Addresses[0]; seen[tenant] != want {
			t.Errorf("tenant %s is seen as %s, its router's address is %s", tenant, seen[tenant], want)
		}
	}
	if seen["acme"] == seen["globex"] {
		t.Errorf("both tenants are seen as %s", seen["acme"])
	}
}

// Where no port is left to translate to, connections are dropped, and the router's
// status and the metrics say so; others are not concerned.
func TestPortExhaustionShows(t *testing.T) {
	t.Parallel()
	e := startEdge(t, 0)
	m := new(manifest)
	m.tenant("acme").network("acme", "blue", "10.0.0.0/24").connected("acme", "core", "{name: edge}", "blue").
		endpoint("acme", "a", "blue", "10.0.0.11").endpoint("acme", "b", "blue", "10.0.0.12")
	e.api.apply(t, m.String())
	a, b := e.attach("acme/a", "h1"), e.attach("acme/b", "h1")
	e.realized("acme/a", "acme/b")
	e.api.realized(t, "/v1/tenants/acme/routers/core")
	ntp := e.serve(e.server, "udp", serverAddr, 123)
	discard := netip.AddrPortFrom(serverAddr, 9)
	a.mustPing(t, serverAddr.String())
	// A switch loses some of so many at once.
	frames := everyPort(udpFrame(frameFields{srcMAC: a.mac, dstMAC: topology.GatewayMAC.String(), srcIP: "10.0.0.11", dstIP: serverAddr.String()}))
	eventually(t, 50*time.Second, func() error { // less than the minute for which they are remembered
		e.must(lab.Send(a, frames...))
		if n := e.tracked("h1", "UDP"); n < len(frames) {
			return fmt.Errorf("%d of %d ports are taken", n, len(frames))
		}
		return nil
	})
	warning := func() error {
		if w := e.api.get(t, "/v1/tenants/acme/routers/core").Status.Warnings; len(w) == 0 {
			return errors.New("the router's status has no warning")
		}
		return nil
	}
	if warning() == nil {
		t.Fatal("a warning before there is a reason")
	}
	port := uint16(4000)
	eventually(t, 30*time.Second, func() error {
		port++
		e.send(b, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.12"), port), discard)
		return warning()
	})
	if n := e.api.metric(t, "dovetail_snat_exhausted_total"); n == 0 {
		t.Error("the metric says 0")
	}
	before := len(ntp.Clients())
	e.send(b, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.12"), 4000), ntp.Addr())
	eventually(t, 5*time.Second, func() error {
		if len(ntp.Clients()) == before {
			return errors.New("another service is not reached")
		}
		return nil
	})
}

// tracked is how many connections of a protocol a host's connection tracking has.
func (e *edge) tracked(host, protocol string) int {
	e.t.Helper()
	out, err := e.lab.Host(host).Appctl("dpctl/ct-stats-show")
	e.must(err)
	_, rest, _ := strings.Cut(out, protocol+":")
	n := 0
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// everyPort is a UDP frame from each port that source NAT gives out.
func everyPort(frame []byte) [][]byte {
	var frames [][]byte
	for port := 1024; port < 1<<16; port++ {
		f := bytes.Clone(frame)
		f[34], f[35] = byte(port>>8), byte(port)
		f[40], f[41] = 0, 0 // no checksum (RFC 768)
		frames = append(frames, f)
	}
	return frames
}

// send sends one UDP datagram.
func (e *edge) send(from lab.Machine, local, to netip.AddrPort) {
	e.t.Helper()
	c, err := lab.DialUDP(e.t.Context(), from, to, local)
	e.must(err)
	_, err = c.Write([]byte("x"))
	e.must(errors.Join(err, c.Close()))
}
