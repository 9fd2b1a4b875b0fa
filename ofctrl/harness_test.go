package ofctrl

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
	"github.com/dovetail-sdn/dovetail/openflow"
)

// patience bounds every wait of the tests.
const patience = 20 * time.Second

// recorder is a Handler that writes down what it hears.
type recorder struct {
	mu     sync.Mutex
	cond   *sync.Cond
	events []string
	drift  []Drift
	refuse []error
	onAck  func()
}

func newRecorder() *recorder {
	r := &recorder{}
	r.cond = sync.NewCond(&r.mu)
	return r
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
	r.cond.Broadcast()
}

func (r *recorder) Connected(dpid uint64, _ net.Addr)      { r.note("connected %d", dpid) }
func (r *recorder) Disconnected(dpid uint64, err error)    { r.note("disconnected %d: %v", dpid, err) }
func (r *recorder) Acked(uint64)                           { r.ack() }
func (r *recorder) PacketIn(_ uint64, p openflow.PacketIn) { r.note("packet %x", p.Data) }
func (r *recorder) Rejected(_ net.Addr, err error)         { r.note("rejected: %v", err) }

func (r *recorder) Refused(_ uint64, f *Feed, owner string, err error) {
	r.mu.Lock()
	r.refuse = append(r.refuse, err)
	r.mu.Unlock()
	r.note("refused %s %s: %v", f.Name(), owner, err)
}

func (r *recorder) Drift(_ uint64, found []Drift) {
	r.mu.Lock()
	r.drift = append(r.drift, found...)
	r.mu.Unlock()
	for _, d := range found {
		r.note("drift %s %q table=%d cookie=%#x", d.Kind, d.Owner, d.ID.Table, d.ID.Cookie)
	}
}

func (r *recorder) ack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cond.Broadcast()
	if r.onAck != nil {
		r.onAck()
	}
}

func (r *recorder) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cond.Broadcast()
}

// count is the number of events that begin with prefix.
func (r *recorder) count(prefix string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if strings.HasPrefix(e, prefix) {
			n++
		}
	}
	return n
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.events, "\n")
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// until waits for a condition that holds after a call of the Handler, or a moment later.
func (r *recorder) until(tb failer, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain: %s; events:\n%s", what, r.all())
		}
		r.mu.Lock() // before the timer, whose call must not come before Wait
		timer := time.AfterFunc(10*time.Millisecond, r.wake)
		r.cond.Wait()
		r.mu.Unlock()
		timer.Stop()
	}
}

func (r *recorder) untilEvent(tb testing.TB, prefix string) {
	tb.Helper()
	r.until(tb, prefix, func() bool { return r.count(prefix) > 0 })
}

// running is a Server that serves on loopback.
type running struct {
	*recorder
	srv  *Server
	tb   testing.TB
	addr string
	reg  *prometheus.Registry
	stop func()
}

func serve(tb testing.TB, addr string, change ...func(*Config)) *running {
	tb.Helper()
	r := &running{recorder: newRecorder(), tb: tb, reg: prometheus.NewRegistry()}
	cfg := Config{Handler: r.recorder, Log: zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.WarnLevel), Metrics: r.reg, limits: defaultLimits()}
	for _, c := range change {
		c(&cfg)
	}
	r.srv = NewServer(cfg)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.srv.Serve(ctx, ln) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	tb.Cleanup(r.stop)
	return r
}

// untilAcked waits until the switch has confirmed all that the feeds have now.
func (r *running) untilAcked(dpid uint64, feeds ...*Feed) {
	r.tb.Helper()
	for _, f := range feeds {
		want := f.Seq()
		r.until(r.tb, "acknowledgement of "+f.Name(), func() bool {
			seq, ok := r.srv.Acked(dpid, f)
			return ok && seq >= want
		})
	}
}

const dpid1 = 0x11

// bridge is a switch on which br0 has the datapath id dpid1, and connects to addr.
func bridge(tb testing.TB, addr string) *ovstest.Host {
	tb.Helper()
	h := ovstest.Start(tb)
	h.StartSwitch()
	addBridge(h, addr)
	return h
}

func addBridge(h *ovstest.Host, addr string) {
	h.Vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure",
		"protocols=OpenFlow10,OpenFlow13,OpenFlow15", fmt.Sprintf("other-config:datapath-id=%016x", dpid1),
		"--", "set-controller", "br0", "tcp:"+addr,
		"--", "set", "controller", "br0", "max_backoff=1000", "inactivity_probe=5000", "connection_mode=out-of-band")
	h.Vsctl("wait-until", "bridge", "br0", "datapath_id!=[]")
}

// flow is a flow of a table that matches n.
func flow(table uint8, n int, goTo uint8) openflow.Flow {
	return openflow.Flow{
		Table: table, Priority: 100, Goto: goTo,
		Match: openflow.Match{openflow.Metadata.Uint(uint64(n))},
	}
}

func seal(tb testing.TB, source string, flows ...openflow.Flow) []openflow.Entry {
	tb.Helper()
	entries, err := openflow.Seal(source, flows)
	if err != nil {
		tb.Fatal(err)
	}
	return entries
}

// dump is the bridge's flows without what changes by itself.
func dump(h *ovstest.Host) string {
	lines := strings.Split(h.Ofctl("-O", "OpenFlow13", "--no-stats", "dump-flows", "br0"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i]) // the first one is already
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func countFlows(h *ovstest.Host) int {
	return strings.Count(dump(h), "cookie=")
}
