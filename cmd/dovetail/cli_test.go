package main

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/rest/resttest"
	"github.com/dovetail-sdn/dovetail/topology"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dovetail": main})
}

// Each script has a server of its own, with an intent in memory, and a world in
// which endpoint acme/web1 is bound, acme/stuck never is, and the rest is realized.
func TestCommands(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			srv, err := newServer()
			if err != nil {
				return err
			}
			env.Defer(srv.Close)
			env.Setenv("DOVETAIL_SERVER", srv.URL)
			env.Setenv("DOVETAIL_TENANT", "")
			env.Setenv("EXAMPLES", examples)
			return nil
		},
	})
}

func newServer() (*httptest.Server, error) {
	world := &resttest.World{}
	web1 := topology.Key{Kind: topology.KindEndpoint, Tenant: "acme", Name: "web1"}
	world.Set(web1, topology.Status{
		Phase: topology.PhaseRealized, Since: resttest.Since,
		Hosts:   []topology.HostPart{{Name: "h1", Acknowledged: true}, {Name: "h2", Acknowledged: true}},
		Binding: &topology.Binding{Endpoint: web1, Host: "h1", Port: "veth1", OFPort: 7, Since: resttest.Since},
	})
	stuck := topology.Key{Kind: topology.KindEndpoint, Tenant: "acme", Name: "stuck"}
	world.Set(stuck, topology.Status{Phase: topology.PhasePending, Reason: "not bound: no host has a port with iface-id acme/stuck"})
	world.Set(topology.Key{Kind: topology.KindGateway, Name: "edge"}, topology.Status{
		Phase: topology.PhaseRealized, Lanes: []topology.LaneStatus{{Host: "h1", Active: "h2"}},
	})
	world.Set(topology.Key{Kind: topology.KindExternalNetwork, Name: "internet"}, topology.Status{
		Phase: topology.PhaseRealized,
		Peers: []topology.PeerStatus{
			{Address: netip.MustParseAddr("192.0.2.1"), Established: true, Since: resttest.Since, Announced: 3},
			{Address: netip.MustParseAddr("2001:db8::1"), Error: "connection refused"},
		},
	})
	setChain(world)
	world.SetCookie(0x8f21c3d400000001, web1)
	for _, text := range []string{"nothing", "bound to port veth1", "realized\x1b[31m"} {
		world.Emit(topology.EventBound, web1, "h1", text)
	}
	h, err := rest.New(rest.Config{Intent: &resttest.Store{}, Realization: world, Version: "v9.9.9"})
	if err != nil {
		return nil, err
	}
	return httptest.NewServer(h), nil
}

// setChain has the chain of examples/chain.yaml work, and count.
func setChain(world *resttest.World) {
	fw := topology.InstanceStatus{In: "fw1-in", Out: "fw1-out", Number: 1, Host: "h2", Healthy: true, Since: resttest.Since}
	world.Set(topology.Key{Kind: topology.KindServiceFunction, Tenant: "umbrella", Name: "fw"}, topology.Status{
		Phase: topology.PhaseRealized, Instances: []topology.InstanceStatus{fw},
	})
	chain := topology.Key{Kind: topology.KindChain, Tenant: "umbrella", Name: "web-to-db"}
	world.Set(chain, topology.Status{Phase: topology.PhaseRealized, Hops: []topology.HopStatus{{
		HopAllocation: topology.HopAllocation{Function: "umbrella/fw"}, Type: topology.FunctionRouted, FailMode: "reroute, then closed",
		Instances: []topology.HopInstance{{InstanceStatus: fw}},
	}}})
	world.SetCounted(chain, func(st *topology.Status) {
		st.Entered = &topology.Counters{Forward: topology.Count{Packets: 1204}, Backward: topology.Count{Packets: 1180}}
		st.Hops[0].Instances[0].Counters = st.Entered
	})
}

// followed runs a command that does not end until it has written all of want.
func followed(t *testing.T, want []string, args ...string) string {
	t.Helper()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	run := func(ctx context.Context, in string, out io.Writer, args ...string) error {
		cmd := newRootCmd(&app{in: strings.NewReader(in), out: out, err: io.Discard})
		cmd.SetArgs(append(args, "--server", srv.URL))
		return cmd.ExecuteContext(ctx)
	}
	manifest := "kind: Tenant\nmetadata: {name: acme}\n---\nkind: Network\nmetadata: {tenant: acme, name: blue}\n---\n" +
		"kind: Endpoint\nmetadata: {tenant: acme, name: web1}\nspec: {network: blue}\n"
	if err := run(t.Context(), manifest, io.Discard, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w := &untilWriter{want: want, found: cancel}
	if err := run(ctx, "", w, args...); err != nil {
		t.Errorf("%v: %v", args, err)
	}
	for _, s := range want {
		if !strings.Contains(w.text.String(), s) {
			t.Errorf("%v: no %q in %q", args, s, w.text.String())
		}
	}
	return w.text.String()
}

// untilWriter calls found when everything wanted is written.
type untilWriter struct {
	text  strings.Builder
	want  []string
	found func()
}

func (w *untilWriter) Write(b []byte) (int, error) {
	w.text.Write(b)
	for _, s := range w.want {
		if !strings.Contains(w.text.String(), s) {
			return len(b), nil
		}
	}
	w.found()
	return len(b), nil
}

func TestEventsAreShownUntilInterrupted(t *testing.T) {
	text := followed(t, []string{"  bound          Endpoint acme/web1 on h1: bound to port veth1\n", "realized"}, "events", "--after", "1", "--kind", "endpoint")
	if strings.Contains(text, "\x1b") || strings.Contains(text, "nothing") {
		t.Errorf("%q", text)
	}
	followed(t, []string{`"sequence":2,`, `"sequence":3,`}, "events", "--after", "1", "-o", "json")
}

func TestAllEventsAndThoseAfterNone(t *testing.T) {
	for _, args := range [][]string{{"events", "--all"}, {"events", "--after", "0"}} {
		if text := followed(t, []string{"bound to port veth1", "realized"}, args...); strings.Contains(text, "missed") {
			t.Errorf("%v: %q", args, text)
		}
	}
}

func TestEventLine(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	h1 := topology.Key{Kind: topology.KindHost, Name: "h1"}
	web1 := topology.Key{Kind: topology.KindEndpoint, Tenant: "acme", Name: "web1"}
	for _, tc := range []struct {
		ev   topology.Event
		want string
	}{
		{topology.Event{Type: topology.EventCreated, Object: web1, Message: "created"}, "created        Endpoint acme/web1"},
		{topology.Event{Type: topology.EventHostUp, Object: h1, Host: "h1", Message: "the switch is as planned"}, "host-up        Host h1: the switch is as planned"},
		{topology.Event{Type: topology.EventBound, Object: web1, Host: "h1", Message: "bound to port w1 of host h1"}, "bound          Endpoint acme/web1: bound to port w1 of host h1"},
		{topology.Event{Type: topology.EventBound, Object: web1, Host: "h1", Message: "bound to port h10"}, "bound          Endpoint acme/web1 on h1: bound to port h10"},
		{topology.Event{Type: topology.EventHostRejected, Object: topology.Key{Kind: topology.KindHost}, Message: "192.0.2.1:7: no system-id"}, "host-rejected  Host: 192.0.2.1:7: no system-id"},
	} {
		tc.ev.Time = at
		if got := eventLine(tc.ev, at); got != "03:04:05  "+tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
		if got := eventLine(tc.ev, at.AddDate(0, 0, 1)); got != "2026-01-02 03:04:05  "+tc.want {
			t.Errorf("a day later: %q", got)
		}
	}
}

func TestWatchShowsWhatThereIs(t *testing.T) {
	followed(t, []string{"NAME", "web1", "h1"}, "get", "endpoints", "-t", "acme", "--watch")
}

// A certificate that the system does not know needs --ca.
func TestServerWithTLS(t *testing.T) {
	plain, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	srv := httptest.NewUnstartedServer(plain.Config.Handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out strings.Builder
		a := &app{in: strings.NewReader(""), out: &out, err: io.Discard}
		cmd := newRootCmd(a)
		cmd.SetArgs(append([]string{args[0], "--server", srv.URL}, args[1:]...))
		err := cmd.ExecuteContext(t.Context())
		if err != nil {
			return a.oneLine(err), err
		}
		return out.String(), nil
	}
	if text, err := run("version"); err == nil || !strings.Contains(text, "cannot be trusted") || !strings.Contains(text, "--ca") {
		t.Errorf("without --ca: %q", text)
	}
	if text, err := run("version", "--ca", ca); err != nil || !strings.Contains(text, "v9.9.9") {
		t.Errorf("with --ca: %q", text)
	}
	if text, err := run("version", "--server", "http"+strings.TrimPrefix(srv.URL, "https")); err == nil || !strings.HasSuffix(text, "speaks HTTPS: write "+srv.URL) {
		t.Errorf("http against https: %q", text)
	}
	if text, err := run("version", "--server", "https"+strings.TrimPrefix(plain.URL, "http")); err == nil || !strings.HasSuffix(text, "speaks plain HTTP; write "+plain.URL) {
		t.Errorf("https against http: %q", text)
	}
	if text, err := run("version", "--cert", ca); err == nil || !strings.Contains(text, "--cert and --key go together") {
		t.Errorf("without a key: %q", text)
	}
}

// What is no HTTP, and no REST API, is told in one line that says what to do.
func TestServerIsSomethingElse(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") }))
	defer page.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, `{"method":"echo"}`)
			_ = c.Close()
		}
	}()
	for server, want := range map[string]string{
		page.URL:                        "is " + strings.TrimPrefix(page.URL, "http://") + " a Dovetail controller?",
		"http://" + ln.Addr().String():  "is not the REST API of a controller, whose port is 8181",
		"https://" + ln.Addr().String(): "is not the REST API of a controller, whose port is 8181",
	} {
		a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
		cmd := newRootCmd(a)
		cmd.SetArgs([]string{"get", "tenants", "--server", server})
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(a.oneLine(err), want) {
			t.Errorf("%s: %v", server, err)
		}
	}
	// What net/http says when the server speaks before it is asked, which is a race.
	if err := errors.New("readLoopPeekFailLocked: %!w(<nil>)"); !notHTTP(err) {
		t.Errorf("%v is taken for a controller", err)
	}
}

// Every command explains itself with an example.
func TestEveryCommandHasExamples(t *testing.T) {
	for _, c := range newRootCmd(&app{}).Commands() {
		if c.Name() != "lab" && (c.Short == "" || c.Example == "") {
			t.Errorf("dovetail %s: no help or no examples", c.Name())
		}
	}
}
