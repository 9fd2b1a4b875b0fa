package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// chainSite is tenant acme with the networks web, app and db, and svc for service
// functions, all of which router core joins.
type chainSite struct {
	*world
}

const (
	webNet = "10.0.0.0/24"
	appNet = "10.0.1.0/24"
	dbNet  = "10.0.2.0/24"
	svcNet = "10.0.9.0/24"
)

func startChains(t *testing.T, hosts int) *chainSite {
	t.Helper()
	s := &chainSite{start(t, hosts)}
	m := new(manifest)
	m.tenant("acme").network("acme", "web", webNet, "fd00:0:0:1::/64").network("acme", "app", appNet).network("acme", "db", dbNet, "fd00:0:0:2::/64").
		network("acme", "svc", svcNet, "fd00:0:0:9::/64").router("acme", "core", "web", "app", "db", "svc")
	s.api.apply(t, m.String())
	return s
}

// function adds a service function of acme.
func (m *manifest) function(name, spec string) *manifest {
	fmt.Fprintf(m, "---\nkind: ServiceFunction\nmetadata: {tenant: acme, name: %s}\nspec: {%s}\n", name, spec)
	return m
}

// chain adds a chain of acme's router core.
func (m *manifest) chain(name, spec string) *manifest {
	fmt.Fprintf(m, "---\nkind: Chain\nmetadata: {tenant: acme, name: %s}\nspec: {router: core, %s}\n", name, spec)
	return m
}

// endpoints adds endpoints of acme, each given as NAME NETWORK ADDRESS…
func (m *manifest) endpoints(list ...string) *manifest {
	for _, e := range list {
		f := strings.Fields(e)
		m.endpoint("acme", f[0], f[1], f[2:]...)
	}
	return m
}

func chainPath(name string) string    { return "/v1/tenants/acme/chains/" + name }
func functionPath(name string) string { return "/v1/tenants/acme/service-functions/" + name }

// arm is what a port of a function needs to know of its endpoint of acme.
func (s *chainSite) arm(name string) lab.AttachConfig { return nodeArm(s, "acme/"+name) }

func nodeArm(s *chainSite, id string) lab.AttachConfig {
	s.t.Helper()
	r := s.api.get(s.t, endpointPath(id))
	cfg := lab.AttachConfig{InterfaceID: r.Status.InterfaceID, MAC: r.Status.MAC}
	s.describe(&node{}, r, &cfg)
	return cfg
}

// transparent makes an instance of a transparent function whose ports are the endpoints
// NAME-in and NAME-out.
func (s *chainSite) transparent(name, host string) *lab.Function {
	s.t.Helper()
	f, err := s.lab.AttachTransparent(s.lab.Host(host), s.arm(name+"-in"), s.arm(name+"-out"))
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// routed makes an instance of a routed function, which leads to the web network by its
// port NAME-in, and everywhere else by NAME-out.
func (s *chainSite) routed(name, host string) *lab.Function {
	s.t.Helper()
	in := s.arm(name + "-in")
	var routes []lab.Route
	for i, dst := range []string{webNet, "fd00:0:0:1::/64"} {
		if i < len(in.Gateways) {
			routes = append(routes, lab.Route{Dst: netip.MustParsePrefix(dst), Via: in.Gateways[i]})
		}
	}
	f, err := s.lab.AttachRouted(s.lab.Host(host), in, s.arm(name+"-out"), routes...)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// counted are the packets that a function's firewall has counted.
func (s *chainSite) counted(f *lab.Function, name string) int64 {
	s.t.Helper()
	counters, err := f.Counters(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return counters[name].Packets
}

// counts says what is wrong with the counters of a chain of one function, which packets
// have passed both ways.
func (s *chainSite) counts(chain string) error {
	st := s.api.get(s.t, chainPath(chain)).Status
	if len(st.Hops) != 1 || len(st.Hops[0].Instances) != 1 || st.Entered == nil || len(st.Warnings) > 0 {
		return fmt.Errorf("status of chain %s: %+v", chain, st.Status)
	}
	in := st.Hops[0].Instances[0]
	if c := in.Counters; !in.Healthy || c.Forward.Packets == 0 || c.Backward.Packets == 0 || st.Entered.Forward.Packets < c.Forward.Packets {
		return fmt.Errorf("entered %+v, instance %+v with %+v", *st.Entered, in.InstanceStatus, *c)
	}
	return nil
}

// echo serves on a node, and is closed with the test.
func (s *chainSite) echo(n *node, port uint16) *lab.Server {
	s.t.Helper()
	srv, err := lab.Serve(n, "tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = srv.Close() })
	return srv
}

// connects opens a connection, and closes it again.
func connects(from *node, to string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := lab.Dial(ctx, from, netip.MustParseAddrPort(to), netip.AddrPort{})
	if err != nil {
		return fmt.Errorf("%s to %s: %w", from.id, to, err)
	}
	return errors.Join(echoes(c), c.Close())
}

func mustConnect(t testing.TB, from *node, to string) {
	t.Helper()
	if err := connects(from, to, 5*time.Second); err != nil {
		t.Error(err)
	}
}

func mustNotConnect(t testing.TB, from *node, to string) {
	t.Helper()
	if connects(from, to, time.Second) == nil {
		t.Errorf("%s connects to %s and must not", from.id, to)
	}
}

// tag is the VLAN of a chain's packets at its first function.
func (s *chainSite) tag(path string) int {
	s.t.Helper()
	var r struct {
		Status struct{ Hops []struct{ VLAN int } }
	}
	if err := json.Unmarshal(s.api.must(s.t, "GET", path, "", nil), &r); err != nil || len(r.Status.Hops) == 0 {
		s.t.Fatalf("%s has no hops: %v", path, err)
	}
	return r.Status.Hops[0].VLAN
}
