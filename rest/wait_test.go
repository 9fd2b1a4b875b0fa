package rest_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/rest/resttest"
	"github.com/dovetail-sdn/dovetail/topology"
)

func pendingOn(host, why string) topology.Status {
	return topology.Status{Phase: topology.PhasePending, Reason: "a host is away", Hosts: []topology.HostPart{
		{Name: "h1", Acknowledged: true}, {Name: host, Error: why},
	}}
}

func TestWaitingTimesOutWithReasons(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	a.world.Set(web1, pendingOn("h2", "not connected since yesterday"))
	p := a.problem(504, "PUT", "/v1/tenants/acme/endpoints/web1?wait=realized&timeout=10ms", `{"spec":{"network":"blue"},"metadata":{"labels":{"new":"yes"}}}`)
	if !p.Stored || len(p.Unrealized) != 1 || len(p.Unrealized[0].Status.Hosts) != 1 || p.Unrealized[0].Status.Hosts[0].Name != "h2" || p.Unrealized[0].Object != web1 ||
		!strings.Contains(p.Detail, "is stored") || !strings.Contains(p.Detail, "h2: not connected since yesterday") {
		t.Errorf("%+v", p)
	}
	if ans := a.must(200, "GET", "/v1/tenants/acme/endpoints/web1", ""); !strings.Contains(ans.body, `"new":"yes"`) {
		t.Errorf("the problem says that it is stored, and it is not: %s", ans.body)
	}
	a.problem(504, "GET", "/v1/tenants/acme/endpoints/web1?wait=realized&timeout=0s", "")
	a.problem(504, "DELETE", "/v1/tenants/acme/endpoints/web1?wait=realized&timeout=1ms", "")
	a.problem(404, "GET", "/v1/tenants/acme/endpoints/web1", "")
}

func TestWaitingEndsWhenRealizedOrFailed(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	realized := topology.Status{Phase: topology.PhaseRealized, Since: resttest.Since}
	for _, tt := range []struct {
		status int
		then   topology.Status
	}{{200, realized}, {502, topology.Status{Phase: topology.PhaseFailed, Reason: "h1 refused"}}} {
		a.world.Set(web1, pendingOn("h2", ""))
		got := make(chan answer, 1)
		go func() {
			got <- a.do("PUT", "/v1/tenants/acme/endpoints/web1?wait=realized&timeout=1m", `{"spec":{"network":"blue"}}`)
		}()
		a.world.Set(web1, tt.then)
		if ans := <-got; ans.status != tt.status {
			t.Errorf("%d, want %d: %s", ans.status, tt.status, ans.body)
		}
	}
}

// A read deadline that is left on the connection would end a wait that is longer.
func TestWaitIsNotCutByTheBodyTimeout(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.BodyTimeout = 20 * time.Millisecond })
	a.shop()
	a.world.Set(web1, pendingOn("h2", ""))
	p := a.problem(504, "PUT", "/v1/tenants/acme/endpoints/web1?wait=realized&timeout=200ms", `{"spec":{"network":"blue"}}`)
	if !strings.Contains(p.Detail, "200ms") {
		t.Errorf("%s", p.Detail)
	}
}

func TestSlowBodyIsCutOff(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.BodyTimeout = 20 * time.Millisecond })
	c, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("PUT /v1/tenants/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, _ := c.Read(b)
	if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 408 ") {
		t.Errorf("got %q", b[:n])
	}
}

func TestTooManyRequests(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.MaxRequests = 1 })
	var slow net.Conn // its body does not come
	defer func() { slow.Close() }()
	eventually(t, func() bool {
		if slow != nil {
			if a.do("GET", "/v1/tenants", "").status == 429 {
				return true
			}
			slow.Close() // it may itself have come while another one was served
		}
		var err error
		if slow, err = net.Dial("tcp", strings.TrimPrefix(a.url, "http://")); err != nil {
			t.Fatal(err)
		}
		if _, err := slow.Write([]byte("PUT /v1/tenants/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // else every one may come while its predecessor ends
		return false
	})
	if ans := a.must(429, "GET", "/v1/tenants", ""); ans.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	a.must(200, "GET", "/healthz", "")
	slow.Close()
	eventually(t, func() bool { return a.do("GET", "/v1/tenants", "").status == 200 })
}

// TestWhoWaitsKeepsNobodyOut: requests that wait have places of their own, and no
// more than there are.
func TestWhoWaitsKeepsNobodyOut(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.MaxRequests, c.MaxWaits = 1, 1 })
	a.shop()
	a.world.Set(web1, pendingOn("h2", ""))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	const waiting = "/v1/tenants/acme/endpoints/web1?wait=realized&timeout="
	wg.Go(func() {
		for ctx.Err() == nil { // it may itself come while another one is served
			req, _ := http.NewRequestWithContext(ctx, "GET", a.url+waiting+"5m", nil)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
		}
	})
	eventually(t, func() bool {
		ans := a.do("GET", waiting+"1ms", "")
		return ans.status == 429 && strings.Contains(ans.body, "waiting already")
	})
	a.must(200, "GET", "/v1/tenants", "")
	cancel()
	wg.Wait()
	eventually(t, func() bool { return a.do("GET", waiting+"1ms", "").status == 504 })
}

func TestServeEndsWaitsAndStreamsWhenItStops(t *testing.T) {
	world, st := &resttest.World{}, &resttest.Store{}
	h, err := rest.New(rest.Config{Intent: st, Realization: world, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- rest.Serve(ctx, l, h, nil) }()
	a := &api{t: t, url: "http://" + l.Addr().String(), store: st, world: world}
	a.shop()
	a.world.Set(web1, pendingOn("h2", ""))
	var wg sync.WaitGroup
	wg.Go(func() {
		if ans := a.do("GET", "/v1/events", ""); ans.status != 200 {
			t.Errorf("stream: %d", ans.status)
		}
	})
	wg.Go(func() {
		p := a.do("PUT", "/v1/tenants/acme/endpoints/web1?wait=realized&timeout=5m", `{"spec":{"network":"blue"}}`)
		if p.status != 503 || !strings.Contains(p.body, `"stored":true`) {
			t.Errorf("wait: %d %s", p.status, p.body)
		}
	})
	eventually(t, func() bool { return world.Readers() == 1 })
	stop()
	wg.Wait()
	if err := <-served; err != nil {
		t.Error(err)
	}
	eventually(t, func() bool { return world.Readers() == 0 })
}

// Over TLS it is HTTP/2, where deadlines and flushing are other code.
func TestServeOverTLS(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil) // for its certificate
	certs.EnableHTTP2 = true
	certs.StartTLS()
	defer certs.Close()
	world, st := &resttest.World{}, &resttest.Store{}
	h, err := rest.New(rest.Config{Intent: st, Realization: world, BodyTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- rest.Serve(ctx, l, h, certs.TLS.Clone()) }()
	send := func(method, path, body string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, "https://"+l.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := certs.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	acme := topology.Key{Kind: topology.KindTenant, Name: "acme"}
	world.Set(acme, pendingOn("h2", ""))
	if resp := send("PUT", "/v1/tenants/acme?wait=realized&timeout=100ms", `{"spec":{}}`); resp.StatusCode != 504 || resp.ProtoMajor != 2 {
		t.Errorf("%s %s", resp.Proto, resp.Status)
	}
	events := send("GET", "/v1/events", "")
	eventually(t, func() bool { return world.Readers() == 1 })
	world.Emit(topology.EventCreated, acme, "", "created")
	until(t, bufio.NewScanner(events.Body), "id: 1")
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// eventually waits for a condition; only a hang makes it fail.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never happened")
		}
	}
}

func TestConcurrentPatchesAllCount(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	var wg sync.WaitGroup
	const writers = 40
	for i := range writers {
		wg.Go(func() {
			label := string(rune('a'+i%26)) + string(rune('a'+i/26))
			if ans := a.do("PATCH", "/v1/tenants/acme/endpoints/web1", `{"metadata":{"labels":{"`+label+`":"x"}}}`); ans.status != 200 {
				t.Errorf("%d %s", ans.status, ans.body)
			}
		})
	}
	created := make(chan int, writers)
	for range writers {
		wg.Go(func() { created <- a.do("PUT", "/v1/tenants/new", `{"spec":{}}`).status })
	}
	wg.Wait()
	obj, err := a.store.Get(web1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(obj.Meta().Labels); n != writers+1 {
		t.Errorf("%d labels, want %d: a patch got lost", n, writers+1)
	}
	close(created)
	count := map[int]int{}
	for s := range created {
		count[s]++
	}
	if count[201] != 1 || count[200] != writers-1 {
		t.Errorf("one PUT created it: %v", count)
	}
}
