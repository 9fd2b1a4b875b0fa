package rest_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/topology"
)

// stream opens an event stream and returns its lines.
func (a *api) stream(ctx context.Context, query, lastID string) *bufio.Scanner {
	a.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", a.url+"/v1/events"+query, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { resp.Body.Close() })
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
		a.t.Fatalf("%d %s", resp.StatusCode, ct)
	}
	return bufio.NewScanner(resp.Body)
}

// until reads lines up to one that begins so, and returns it.
func until(t *testing.T, s *bufio.Scanner, prefix string) string {
	t.Helper()
	for s.Scan() {
		if strings.HasPrefix(s.Text(), prefix) {
			return s.Text()
		}
	}
	t.Fatalf("the stream ended before %q: %v", prefix, s.Err())
	return ""
}

func TestEvents(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.Heartbeat = 5 * time.Millisecond; c.MaxStreams = 2 })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := a.stream(ctx, "", "")
	until(t, s, ": connected")
	a.world.Emit(topology.EventCreated, web1, "", "created")
	if got := until(t, s, "id: "); got != "id: 1" {
		t.Error(got)
	}
	if got := until(t, s, "event: "); got != "event: created" {
		t.Error(got)
	}
	if got := until(t, s, "data: "); !strings.Contains(got, `"object":{"kind":"Endpoint","tenant":"acme","name":"web1"}`) {
		t.Error(got)
	}
	until(t, s, ": alive")
	a.world.Emit(topology.EventBound, web1, "h1", "bound")
	a.world.Emit(topology.EventBound, topology.Key{Kind: topology.KindEndpoint, Tenant: "globex", Name: "web1"}, "h1", "bound")

	resumed := a.stream(ctx, "?tenant=globex", "1")
	if got := until(t, resumed, "id: "); got != "id: 3" {
		t.Errorf("resumed with a filter at %s", got)
	}
	a.problem(429, "GET", "/v1/events", "")
	cancel()
	eventually(t, func() bool { return a.world.Readers() == 0 })
	eventually(t, func() bool {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", a.url+"/v1/events", nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// gapWorld loses events.
type gapWorld struct{ rest.Realization }

func (gapWorld) Events(ctx context.Context, _ uint64) <-chan topology.Event {
	ch := make(chan topology.Event, 3)
	for _, n := range []uint64{2000005, 2000009, 9000000} {
		ch <- topology.Event{Sequence: n, Object: web1, Type: topology.EventBound}
	}
	context.AfterFunc(ctx, func() { close(ch) })
	return ch
}

func TestEventsThatWereLostAreCounted(t *testing.T) {
	a := newAPI(t, func(c *rest.Config) { c.Realization = gapWorld{c.Realization} })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := a.stream(ctx, "", "2000002")
	for _, want := range []string{`data: {"lost":2}`, `id: 2000005`, `data: {"lost":3}`, `id: 2000009`, `data: {"lost":0,"restarted":true}`, `id: 9000000`} {
		if got := until(t, s, want[:4]); got != want {
			if want[:4] == "data" && strings.Contains(got, "sequence") {
				got = until(t, s, want[:4])
			}
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}
