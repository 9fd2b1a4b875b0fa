package ofctrl

import (
	"maps"
	"runtime"
	"testing"

	"github.com/rs/zerolog"
)

// TestPolling: a switch without a flow monitor is repaired long before the audit.
func TestPolling(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	fill(t, f, 3)
	r.srv.SetPlan(3, "s", []*Feed{f})
	sw := newFakeSwitch(3)
	defer sw.run(r.addr)()
	r.untilAcked(3, f)
	want := sw.state()
	sw.mu.Lock()
	clear(sw.flows)
	sw.mu.Unlock()
	r.until(t, "the repair", func() bool { return maps.Equal(sw.state(), want) })
	if n := r.count("drift missing"); n != 6 || r.count("drift") != n {
		t.Errorf("events:\n%s", r.all())
	}
}

// TestIdleSessionsAreCheap measures goroutines and memory of idle sessions.
func TestIdleSessionsAreCheap(t *testing.T) {
	const n = 300
	r := serve(t, "127.0.0.1:0", func(c *Config) { c.Log = zerolog.Nop() })
	f := NewFeed("f")
	fill(t, f, 10)
	usage := func() (goroutines int, bytes uint64) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc + m.StackInuse
	}
	g0, b0 := usage()
	for i := range n {
		dpid := uint64(i + 1)
		r.srv.SetPlan(dpid, "s", []*Feed{f})
		defer newFakeSwitch(dpid).run(r.addr)()
	}
	for i := range n {
		r.untilAcked(uint64(i+1), f)
	}
	g1, b1 := usage()
	// The fake switch is in the figures, with one goroutine and its tables.
	t.Logf("%.1f goroutines and %d KiB for a session and its fake switch", float64(g1-g0)/n, (b1-b0)/n>>10)
	if g1-g0 > 3*n+10 {
		t.Errorf("%d goroutines more for %d sessions and %d fake switches", g1-g0, n, n)
	}
	if per := (b1 - b0) / n; b1 > b0 && per > 150<<10 {
		t.Errorf("%d KiB for a session and its fake switch", per>>10)
	}
}
