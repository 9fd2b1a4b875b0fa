package ovsdb

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// recorder is a Handler that writes down its calls and wakes who waits for them.
type recorder struct {
	mu      sync.Mutex
	changed chan struct{}
	calls   []string
	infos   map[string]HostInfo
	ports   map[string][]Port
	links   map[string][]LinkState
	problem map[string]string

	assign func(HostInfo) (Assignment, error)
}

func newRecorder() *recorder {
	return &recorder{
		changed: make(chan struct{}), infos: map[string]HostInfo{}, ports: map[string][]Port{}, problem: map[string]string{},
		links: map[string][]LinkState{},
		assign: func(HostInfo) (Assignment, error) {
			return Assignment{DatapathID: 0xd0fe00000000002a, Controller: "tcp:127.0.0.1:1"}, nil
		},
	}
}

func (r *recorder) note(format string, a ...any) {
	r.calls = append(r.calls, fmt.Sprintf(format, a...))
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) HostSeen(_ context.Context, info HostInfo) (Assignment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.infos[info.SystemID] = info
	r.note("seen %s", info.SystemID)
	return r.assign(info)
}

func (r *recorder) HostReady(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("ready %s", host)
}

func (r *recorder) HostPorts(host string, ports []Port) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ports[host] = ports
	r.note("ports %s %d", host, len(ports))
}

func (r *recorder) HostLinks(host string, links []LinkState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links[host] = links
	r.note("links %s %v", host, links)
}

func (r *recorder) HostRepaired(host, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("repaired %s %s", host, what)
}

func (r *recorder) HostProblem(host, problem string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem[host] = problem
	r.note("problem %s %s", host, problem)
}

func (r *recorder) HostGone(host string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("gone %s %v", host, err)
}

func (r *recorder) Rejected(_ net.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("rejected %v", err)
}

const testPatience = 20 * time.Second

// until waits until cond holds; it is called with the recorder locked.
func (r *recorder) until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	timeout := time.After(testPatience)
	for {
		r.mu.Lock()
		ok, changed := cond(), r.changed
		calls := slices.Clone(r.calls)
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("waiting for %s; calls so far:\n%s", what, strings.Join(calls, "\n"))
		}
	}
}

// untilCall waits until n calls beginning with prefix were made.
func (r *recorder) untilCalls(t testing.TB, n int, prefix string) {
	t.Helper()
	r.until(t, fmt.Sprintf("%d × %q", n, prefix), func() bool { return r.countLocked(prefix) >= n })
}

func (r *recorder) count(prefix string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.countLocked(prefix)
}

func (r *recorder) countLocked(prefix string) int {
	n := 0
	for _, c := range r.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

func (r *recorder) dump() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.calls, "\n")
}

// controllerProcess is a Server that listens, as a controller that runs.
type controllerProcess struct {
	*recorder
	srv  *Server
	addr string
	stop func()
}

func startController(t testing.TB, cfg Config, change func(*Server)) *controllerProcess {
	t.Helper()
	return startControllerAt(t, "127.0.0.1:0", cfg, change)
}

func startControllerAt(t testing.TB, addr string, cfg Config, change func(*Server)) *controllerProcess {
	t.Helper()
	var ln net.Listener
	var err error
	for range 100 { // the port of a predecessor may still be closing
		if ln, err = net.Listen("tcp", addr); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder()
	if cfg.Handler == nil {
		cfg.Handler = rec
	}
	cfg.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
	c := &controllerProcess{recorder: rec, srv: NewServer(cfg), addr: ln.Addr().String()}
	if change != nil {
		change(c.srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.srv.Serve(ctx, ln) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(c.stop)
	return c
}

type counter struct{ n atomic.Int64 }

func (c *counter) add()      { c.n.Add(1) }
func (c *counter) load() int { return int(c.n.Load()) }

// untilProblem waits until the host's problem has want in it, or is none if that is
// empty.
func (r *recorder) untilProblem(t testing.TB, host, want string) {
	t.Helper()
	r.until(t, "problem "+want, func() bool {
		p := r.problem[host]
		return want == "" && p == "" || want != "" && strings.Contains(p, want)
	})
}
