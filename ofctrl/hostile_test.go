package ofctrl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// strangeServer is a server with short limits, and a good switch that is connected.
func strangeServer(t *testing.T) (r *running, f *Feed) {
	r = serve(t, "127.0.0.1:0", func(c *Config) {
		c.EchoInterval = 200 * time.Millisecond
		c.Log = zerolog.Nop()
		c.limits.handshake = 300 * time.Millisecond
		c.limits.dump = time.Second
		c.limits.rows = 5000
	})
	f = NewFeed("f")
	f.Set("o", seal(t, "o", flow(10, 1, 0)))
	r.srv.SetPlan(1, "good", []*Feed{f})
	good := newFakeSwitch(1)
	t.Cleanup(good.run(r.addr))
	r.untilAcked(1, f)
	return r, f
}

// until ends: everything is read until the server closes the connection.
func untilClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the server keeps the connection")
	}
}

func xid(msg []byte, id uint32) []byte {
	openflow.SetXID(msg, id)
	return msg
}

func TestStrangers(t *testing.T) {
	r, f := strangeServer(t)
	features := func(dpid uint64) []byte { return xid(openflow.Features{DatapathID: dpid}.Message(), 2) }
	for _, c := range []struct {
		name string
		send []byte
		want string
	}{
		{"garbage", []byte("GET / HTTP/1.1\r\nHost: controller\r\n\r\n"), "OpenFlow handshake"},
		{"zeros", make([]byte, 4096), "shorter than a header"},
		{"zero length", []byte{4, 0, 0, 0, 0, 0, 0, 0}, "length 0 is shorter than a header"},
		{"silent", nil, "timeout"},
		{"truncated", openflow.Hello()[:9], "timeout"},
		{"old version", []byte{1, 0, 0, 8, 0, 0, 0, 1}, "does not offer OpenFlow 1.3"},
		{"not hello", openflow.BarrierReply(), "instead of hello"},
		{"oversized and unfinished", []byte{4, 0, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3}, "timeout"},
		{"cut features", append(openflow.Hello(), 4, 6, 0, 16, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8), "features"},
		{"unknown", append(openflow.Hello(), features(99)...), "no plan"},
		{"another's datapath id", append(openflow.Hello(), features(1)...), "another switch with this datapath id"},
		{"talks only", append(openflow.Hello(), bytes.Repeat(openflow.BarrierReply(), 2000)...), "no answer among"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := r.count("rejected")
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = conn.Write(c.send)
			untilClosed(t, conn)
			r.until(t, "Rejected", func() bool { return r.count("rejected") > n })
			events := strings.Split(r.all(), "\n")
			if last := events[len(events)-1]; !strings.Contains(last, c.want) {
				t.Errorf("%s, want %q", last, c.want)
			}
		})
	}
	f.Set("more", seal(t, "more", flow(10, 2, 0)))
	r.untilAcked(1, f)
	if r.count("disconnected") > 0 {
		t.Errorf("the good switch was disturbed:\n%s", r.all())
	}
}

// Transaction ids of what a switch is asked for first of all.
const (
	flowsXID  = 7
	groupsXID = 8
	metersXID = 9
)

// rogue is a switch that behaves until it is asked what it has, and then is left
// to the test.
func rogue(t *testing.T, r *running, dpid uint64) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	hello := append(openflow.Hello(), xid(openflow.Features{DatapathID: dpid}.Message(), 2)...)
	_, _ = conn.Write(append(hello, xid(openflow.RoleReply(openflow.RoleMaster, 0), 3)...))
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	for in := openflow.NewReader(conn); ; {
		m, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m.XID == metersXID {
			_ = conn.SetReadDeadline(time.Time{})
			return conn
		}
	}
}

func TestRogueSwitches(t *testing.T) {
	r, f := strangeServer(t)
	big := NewFeed("big")
	fill(t, big, 30000)
	empty := func(mt openflow.MultipartType, more bool) []byte { return openflow.MultipartReply(mt, more, nil) }
	nothing := bytes.Join([][]byte{
		xid(empty(openflow.MultipartFlow, false), flowsXID), xid(empty(openflow.MultipartGroupDesc, false), groupsXID),
		xid(empty(openflow.MultipartMeterConfig, false), metersXID),
	}, nil)
	flood := func(msg []byte) func(net.Conn) {
		return func(conn net.Conn) {
			msgs := bytes.Repeat(msg, 1000)
			for {
				if _, err := conn.Write(msgs); err != nil {
					return
				}
			}
		}
	}
	cut := openflow.MultipartReply(openflow.MultipartFlow, true, []byte{0, 0, 1, 2})
	read := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	for i, c := range []struct {
		name string
		do   func(net.Conn)
		want string
	}{
		{"silent", read, ErrSilent.Error()},
		{"garbage", func(conn net.Conn) { _, _ = conn.Write(bytes.Repeat([]byte{4, 10, 0, 16}, 100)); read(conn) }, "decode packet-in"},
		{"another version", func(conn net.Conn) { _, _ = conn.Write([]byte{6, 3, 0, 8, 0, 0, 0, 0}); read(conn) }, "version 6"},
		{"zero length", func(conn net.Conn) { _, _ = conn.Write(make([]byte, 100)); read(conn) }, "shorter than a header"},
		{"truncated", func(conn net.Conn) { _, _ = conn.Write([]byte{4, 19, 1, 0, 0, 0, 0, 0, 0}); conn.Close() }, ""},
		{"cut dump", func(conn net.Conn) { _, _ = conn.Write(xid(cut, flowsXID)); read(conn) }, "decode flow statistics"},
		{"never-ending dump", func(conn net.Conn) {
			go read(conn)
			flood(xid(empty(openflow.MultipartFlow, true), flowsXID))(conn)
		}, errSlowDump.Error()},
		{"endless dump", func(conn net.Conn) {
			go read(conn)
			var body []byte
			for i := range 600 {
				body = openflow.AppendFlowStat(body, openflow.FlowStat{ID: openflow.ID{Cookie: uint64(i)}, Match: []byte{0, 1, 0, 4, 0, 0, 0, 0}})
			}
			flood(xid(openflow.MultipartReply(openflow.MultipartFlow, true, body), flowsXID))(conn)
		}, "entries"},
		{"asks and does not read", flood(openflow.EchoRequest(make([]byte, 1000))), ""},
		{"does not read", func(conn net.Conn) {
			_, _ = conn.Write(nothing)
			flood(openflow.EchoReply(nil))(conn)
		}, "i/o timeout"},
		{"floods packets", func(conn net.Conn) {
			go read(conn)
			_, _ = conn.Write(bytes.Repeat([]byte{4, 10, 0, 34, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0}, 5*packetBurst))
			conn.Close()
		}, ""},
		{"another is master", func(conn net.Conn) {
			_, _ = conn.Write((&openflow.ErrorMsg{Type: 1, Code: 10}).Message())
			read(conn)
		}, ErrNotMaster.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			dpid := uint64(1000 + i)
			r.srv.SetPlan(dpid, "rogue", []*Feed{big})
			conn := rogue(t, r, dpid)
			done := make(chan struct{})
			go func() { defer close(done); c.do(conn) }()
			r.untilEvent(t, fmt.Sprintf("disconnected %d", dpid))
			conn.Close()
			<-done
			for _, e := range strings.Split(r.all(), "\n") {
				// On a busy machine, who floods may be given up for what waits behind the flood.
				busy := c.name == "endless dump" && strings.Contains(e, ErrSilent.Error())
				if strings.HasPrefix(e, fmt.Sprintf("disconnected %d", dpid)) && !strings.Contains(e, c.want) && !busy {
					t.Errorf("%s, want %q", e, c.want)
				}
			}
		})
	}
	f.Set("more", seal(t, "more", flow(10, 2, 0)))
	r.untilAcked(1, f)
	if r.count("disconnected 1:") > 0 {
		t.Errorf("the good switch was disturbed")
	}
	if n := r.count("packet"); n == 0 || n > 2*packetBurst {
		t.Errorf("%d packet-ins reached the handler", n)
	}
}

// TestReplacesADeadSession: a switch that comes back while its old connection
// is dead, which nothing has noticed yet, gets a new session.
func TestReplacesADeadSession(t *testing.T) {
	r := serve(t, "127.0.0.1:0", func(c *Config) { c.limits.probe = 50 * time.Millisecond })
	f := NewFeed("f")
	f.Set("o", seal(t, "o", flow(10, 1, 0)))
	r.srv.SetPlan(5, "s", []*Feed{f})
	rogue(t, r, 5) // says nothing more
	sw := newFakeSwitch(5)
	defer sw.run(r.addr)()
	r.untilAcked(5, f)
	if r.count("connected 5") != 2 || r.count("disconnected 5: "+ErrReplaced.Error()) != 1 {
		t.Errorf("events:\n%s", r.all())
	}
}

// FuzzSession feeds a session arbitrary bytes after the handshake, and before it
// instead of it.
func FuzzSession(f *testing.F) {
	f.Add(true, []byte{})
	f.Add(false, openflow.Hello())
	f.Add(true, xid(openflow.BarrierReply(), 10))
	f.Add(true, (&openflow.ErrorMsg{Type: 5, Code: 1}).Message())
	f.Add(true, xid((&openflow.ErrorMsg{Type: 1, Code: 2}).Message(), 6))
	f.Add(true, append(xid(openflow.MultipartReply(openflow.MultipartFlow, false, nil), 7), xid(openflow.MultipartReply(openflow.MultipartGroupDesc, true, nil), 8)...))
	f.Add(true, openflow.EchoRequest([]byte("abc")))
	f.Fuzz(func(t *testing.T, known bool, data []byte) {
		srv := NewServer(Config{Handler: newRecorder(), Log: zerolog.Nop()})
		feed := NewFeed("f")
		feed.Set("o", seal(t, "o", flow(10, 1, 0)))
		srv.SetPlan(7, "s", []*Feed{feed})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		done := make(chan struct{})
		go func() { defer close(done); srv.serveConn(ctx, ours, func() {}) }()
		if known {
			hello := append(openflow.Hello(), xid(openflow.Features{DatapathID: 7}.Message(), 2)...)
			_, _ = theirs.Write(append(hello, xid(openflow.RoleReply(openflow.RoleMaster, 0), 3)...))
		}
		_ = theirs.SetWriteDeadline(time.Now().Add(patience))
		_, _ = theirs.Write(data)
		theirs.Close()
		<-done
	})
}
