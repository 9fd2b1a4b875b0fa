package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// ofport is the number of a workload's port, when it has one.
func ofport(t *testing.T, w *Workload) string {
	t.Helper()
	must(t, w.Host(), "wait-until", "Interface", w.Port(), "ofport>0")
	return must(t, w.Host(), "get", "Interface", w.Port(), "ofport")
}

// patch joins ports of a host's br-int two by two, in both directions.
func patch(t *testing.T, h *Host, pairs ...[2]*Workload) {
	t.Helper()
	for _, p := range pairs {
		a, b := ofport(t, p[0]), ofport(t, p[1])
		for _, flow := range []string{
			fmt.Sprintf("in_port=%s,actions=output:%s", a, b),
			fmt.Sprintf("in_port=%s,actions=output:%s", b, a),
		} {
			if _, err := h.Ofctl("add-flow", "br-int", flow); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// port is number n of a function.
func port(n int, addresses ...netip.Prefix) AttachConfig {
	return AttachConfig{InterfaceID: fmt.Sprintf("acme/f%d", n), MAC: fmt.Sprintf("02:00:00:00:01:%02x", n), MTU: 1500, Addresses: addresses}
}

// unreachable is one ping that must not be answered. A Pinger would wait longer for
// what is on its way.
func unreachable(t *testing.T, w *Workload, to netip.Addr) {
	t.Helper()
	if w.Command("ping", "-n", "-c", "1", "-W", "0.2", to.String()).Run() == nil {
		t.Errorf("%s is reached", to)
	}
}

func counters(t *testing.T, f *Function) map[string]Counter {
	t.Helper()
	c, err := f.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func guard(t *testing.T, f *Function, g Guard) {
	t.Helper()
	if err := f.Guard(g); err != nil {
		t.Fatal(err)
	}
}

// ok is for what cannot fail but by a bug.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opens says whether a TCP connection to a port can be opened.
func opens(t *testing.T, from *Workload, to netip.AddrPort) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	c, err := Dial(ctx, from, to, netip.AddrPort{})
	if err == nil {
		_ = c.Close()
	}
	return err
}

// serve is an echo server until the end of the test.
func serve(t *testing.T, at Machine, addr netip.Addr, port uint16) *Server {
	t.Helper()
	s, err := Serve(at, "tcp", netip.AddrPortFrom(addr, port))
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	return s
}

// transparent makes two workloads with a transparent function between them.
func transparent(t *testing.T) (f *Function, w1, w2 *Workload) {
	t.Helper()
	l := up(t, 1)
	h := l.Host("h1")
	w1, w2 = attach(t, l, "h1", 1), attach(t, l, "h1", 2)
	f, err := l.AttachTransparent(h, port(1), port(2))
	ok(t, err)
	patch(t, h, [2]*Workload{w1, f.In}, [2]*Workload{f.Out, w2})
	return f, w1, w2
}

// A transparent function passes what its firewall lets pass, and counts it; rules
// change while it works.
func TestTransparentFunction(t *testing.T) {
	t.Parallel()
	f, w1, w2 := transparent(t)
	reaches(t, w1, v4(2))
	reaches(t, w1, v6(2))
	if out, err := f.Command("ip", "-o", "addr", "show").Output(); err != nil || strings.Contains(string(out), "link") {
		t.Errorf("a transparent function has addresses, %v:\n%s", err, out)
	}
	guard(t, f, Guard{Counters: []string{"ssh"}, Rules: []string{`tcp dport 22 counter name ssh drop`}})
	for _, addr := range []netip.Addr{v4(2), v6(2)} {
		ok(t, w1.TCP(w2, addr, 10*time.Second))
		serve(t, w2, addr, 22)
		before := counters(t, f)["ssh"].Packets
		if opens(t, w1, netip.AddrPortFrom(addr, 22)) == nil {
			t.Errorf("port 22 of %s is open", addr)
		}
		if counters(t, f)["ssh"].Packets == before {
			t.Error("what is dropped is not counted")
		}
	}
	first := counters(t, f)
	if first["in"].Packets < 5 || first["out"].Packets < 5 || first["in"].Bytes < 200 || first["out"].Bytes < 200 {
		t.Errorf("counters %+v", first)
	}
	guard(t, f, Guard{})
	ok(t, opens(t, w1, netip.AddrPortFrom(v4(2), 22)))
	if after := counters(t, f); after["in"].Packets <= first["in"].Packets || after["out"].Packets <= first["out"].Packets {
		t.Errorf("counters were %+v and are %+v", first, after)
	}
	if err := f.Guard(Guard{Rules: []string{"nonsense"}}); err == nil || !strings.Contains(err.Error(), "acme/f1") {
		t.Errorf("a bad rule: %v", err)
	}
	ok(t, opens(t, w1, netip.AddrPortFrom(v4(2), 22)))
}

// A frame keeps its tag on its way through a transparent function, and rules look into it.
func TestTransparentKeepsTags(t *testing.T) {
	t.Parallel()
	f, w1, w2 := transparent(t)
	guard(t, f, Guard{Rules: []string{"ip saddr 192.0.2.66 drop"}})
	s, err := w2.Sniff()
	ok(t, err)
	defer func() { _ = s.Close() }()
	frame := func(last byte) []byte {
		f := append([]byte{2, 0, 0, 0, 0, 2, 2, 9, 9, 9, 9, 9, 0x81, 0, 0, 100, 8, 0}, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 192, 0, 2, last, 10, 0, 0, 2)
		return append(f, make([]byte, 40)...)
	}
	ok(t, w1.Send(frame(66)))
	ok(t, w1.Send(frame(1)))
	got, err := s.Next(10*time.Second, func(got []byte) bool { return bytes.Equal(got[6:12], frame(1)[6:12]) })
	ok(t, err)
	if !bytes.Equal(got, frame(1)) {
		t.Errorf("%x came, and\n%x was sent", got, frame(1))
	}
}

// A stateful transparent function lets answers pass, and nothing whose beginning it
// has not seen.
func TestStateful(t *testing.T) {
	t.Parallel()
	f, w1, w2 := transparent(t)
	guard(t, f, Guard{Drop: true, Stateful: true, Rules: []string{`iifname "in" tcp dport 80 accept`}})
	for _, addr := range []netip.Addr{v4(2), v6(2)} {
		serve(t, w2, addr, 80)
		ok(t, opens(t, w1, netip.AddrPortFrom(addr, 80)))
	}
}

// Both ports of a function are known as workloads are, to other processes too; its
// namespace goes with the last.
func TestFunctionPorts(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	h := l.Host("h1")
	f, err := l.AttachTransparent(h, port(1), port(2))
	ok(t, err)
	if _, err := f.In.AddPort(AttachConfig{InterfaceID: "acme/f3", MAC: "02:00:00:00:01:03", Interface: "out"}); err == nil || !strings.Contains(err.Error(), "acme/f2 has it") {
		t.Errorf("two ports with one name: %v", err)
	}
	if _, err := f.In.AddPort(AttachConfig{InterfaceID: "acme/f2", MAC: "02:00:00:00:01:03", Interface: "more"}); err == nil {
		t.Error("two ports have one interface id")
	}
	if _, err := f.In.AddPort(AttachConfig{InterfaceID: "acme/f3", MAC: "none", Interface: "more"}); err == nil {
		t.Error("a port has no MAC")
	}
	again, err := Open(l.Name)
	ok(t, err)
	for n, w := range []*Workload{f.In, f.Out} {
		p, err := again.Workload(w.ID)
		ok(t, err)
		if p.Namespace() != f.Namespace() || p.Interface() != []string{"in", "out"}[n] || p.MAC() != port(n+1).MAC {
			t.Errorf("%s is written down as %+v", w.ID, p.Entry())
		}
		if found := must(t, h, "--bare", "--columns=name", "find", "Interface", "external_ids:iface-id="+w.ID); found != w.Port() {
			t.Errorf("the port of %s is %q", w.ID, found)
		}
	}
	if len(again.Workloads()) != 2 {
		t.Errorf("%d ports are written down", len(again.Workloads()))
	}
	ok(t, f.In.Detach())
	ok(t, f.Command("ip", "link", "show", "out").Run())
	ok(t, f.Out.Detach())
	if left := namespaces(f.Namespace()); len(left) != 0 {
		t.Errorf("namespaces are left: %s", left)
	}
	if ports := must(t, h, "list-ports", "br-int"); ports != "vx" {
		t.Errorf("ports are left: %s", ports)
	}
	f, err = l.AttachTransparent(h, port(1), port(2))
	ok(t, err)
	ok(t, f.Detach())
	if len(l.Workloads()) != 0 {
		t.Errorf("%v is written down", l.Workloads())
	}
}

func TestGuardText(t *testing.T) {
	l := &Lab{}
	w := &Workload{lab: l, entry: &Entry{Interface: "in"}}
	got := Guard{Drop: true, Stateful: true, Counters: []string{"web"}, Rules: []string{"tcp dport 80 counter name web accept"}}.text("inet", []*Workload{w})
	want := `table inet guard {
 counter dropped { }
 counter web { }
 counter in { }
 chain forward {
  type filter hook forward priority 0; policy drop;
 }
}
flush chain inet guard forward
table inet guard {
 chain forward {
  iifname "in*" counter name in
  ct state established,related accept
  ct state invalid drop
  tcp dport 80 counter name web accept
  counter name dropped
 }
}
`
	if got != want {
		t.Errorf("the firewall is\n%s\nwant\n%s", got, want)
	}
}

func TestReadCounters(t *testing.T) {
	got, err := readCounters(`{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"counter": {"family": "inet", "name": "in", "table": "guard", "handle": 2, "packets": 3, "bytes": 180}}]}`)
	if err != nil || len(got) != 1 || got["in"] != (Counter{3, 180}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := readCounters("nonsense"); err == nil {
		t.Error("nonsense is read")
	}
}
