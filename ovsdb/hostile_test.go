package ovsdb

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// fakeHost is the host's end of a session, as a test speaks it.
type fakeHost struct {
	t    testing.TB
	conn net.Conn
	in   *json.Decoder
}

func dialController(t testing.TB, c *controllerProcess) *fakeHost {
	t.Helper()
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &fakeHost{t: t, conn: conn, in: json.NewDecoder(bufio.NewReader(conn))}
}

func (f *fakeHost) send(format string, a ...any) {
	_, _ = fmt.Fprintf(f.conn, format, a...) // the controller may have closed
}

// receive returns the next message that is not a probe, which it answers.
func (f *fakeHost) receive() (m message) {
	f.t.Helper()
	_ = f.conn.SetReadDeadline(time.Now().Add(testPatience))
	for {
		m = message{}
		if err := f.in.Decode(&m); err != nil {
			f.t.Fatalf("receiving: %v", err)
		}
		if m.Method != "echo" {
			return m
		}
		f.send(`{"id":%s,"result":[],"error":null}`, m.ID)
	}
}

// untilClosed waits until the controller closes the connection.
func (f *fakeHost) untilClosed() {
	f.t.Helper()
	_ = f.conn.SetReadDeadline(time.Now().Add(testPatience))
	if _, err := io.Copy(io.Discard, f.conn); err != nil {
		if e, ok := err.(net.Error); ok && e.Timeout() {
			f.t.Fatal("the controller kept the connection")
		}
	}
}

const (
	uuidRoot = "00000000-0000-4000-8000-000000000001"
	uuidX    = "00000000-0000-4000-8000-00000000000%d"
)

// rootUpdate is the first reply of a host with this system-id and nothing else.
func rootUpdate(systemID string) string {
	return fmt.Sprintf(`{"Open_vSwitch":{%q:{"new":{"external_ids":["map",[["system-id",%q],["dovetail-encap-ip","192.0.2.1"]]],
		"ovs_version":"3.1.0","bridges":["set",[]]}}}}`, uuidRoot, systemID)
}

// join answers the monitor request.
func (f *fakeHost) join(systemID string) {
	f.t.Helper()
	m := f.receive()
	if m.Method != "monitor" {
		f.t.Fatalf("first request: %s", m.Method)
	}
	f.send(`{"id":%s,"error":null,"result":%s}`, m.ID, rootUpdate(systemID))
}

// TestHostileBytes: whatever a connection says, it is ended with words that say
// why, and a host beside it notices nothing.
func TestHostileBytes(t *testing.T) {
	// A newcomer must outlive the probe of an old session, which may take 2 s.
	c := startController(t, Config{EchoInterval: 1500 * time.Millisecond}, func(s *Server) {
		s.limits.message, s.limits.handshake = 300*time.Millisecond, testPatience
		s.limits.transact, s.limits.build = 10*testPatience, testPatience
	})
	good := dialController(t, c)
	good.join("good")
	c.untilCalls(t, 1, "seen good")
	_ = good.conn.SetReadDeadline(time.Time{})
	go func() { // answers probes, and no transaction
		for {
			var m message
			if good.in.Decode(&m) != nil {
				return
			}
			if m.Method == "echo" {
				good.send(`{"id":%s,"result":[],"error":null}`, m.ID)
			}
		}
	}()
	for _, tt := range []struct{ name, bytes, want string }{
		{"http", "GET / HTTP/1.1\r\n\r\n", `rejected bytes that are not a JSON-RPC message: it starts with 'G'`},
		{"tls", "\x16\x03\x01\x02\x00", `rejected bytes that are not a JSON-RPC message`},
		{"no json", "{\"id\" 7}", `rejected bytes that are not a JSON-RPC message: invalid character`},
		{"mismatched", `{"id":[1}`, `rejected`},
		{"wrong types", `{"method":7}`, `rejected bytes that are not a JSON-RPC message`},
		{"nested", strings.Repeat(`{"a":[`, 40), `rejected message is nested deeper than allowed`},
		{"half a message", `{"id":1,"result":`, `rejected ` + errSlow.Error()},
		{"silent", ``, `rejected ` + errSilent.Error()},
		{"white space only", strings.Repeat(" \n", 4096), `rejected ` + errSilent.Error()},
		{"nothing asked", `{}{"id":null}{"id":77,"result":1}{"error":{"x":1},"id":9}{"method":"x","id":null,"params":[]}`, `rejected ` + errSilent.Error()},
		{"strange update", `{"method":"update","id":null,"params":{"a":1}}`, "rejected update: "},
		{"other monitor", `{"method":"update","id":null,"params":["x",{}]}`, "rejected update: not of the monitor"},
		{"other table", `{"method":"update","id":null,"params":["dovetail",{"SSL":{}}]}`, `rejected update: table "SSL" was not asked for`},
		{"no uuid", `{"method":"update","id":null,"params":["dovetail",{"Port":{"x":{}}}]}`, `rejected update: table Port: "x" is no UUID`},
		{"reply without a result", `{"id":1,"error":null}`, "rejected "},
		{"refused monitor", `{"id":1,"error":{"error":"no column X"},"result":null}`, `rejected monitoring: the host answers: {"error":"no column X"}`},
		{"bad id", `{"id":1,"error":null,"result":` + rootUpdate("-rf /") + `}`, `rejected external_ids:system-id "-rf /"`},
		{"no id", `{"id":1,"error":null,"result":` + rootUpdate("") + `}`, `rejected external_ids:system-id is not set`},
		{"no root", `{"id":1,"error":null,"result":{}}`, `rejected the database has no Open_vSwitch row`},
		{"large echo", `{"method":"echo","id":1,"params":["` + strings.Repeat("x", maxEchoBytes) + `"]}`, `rejected echo request of more than`},
		{"someone's id", `{"id":1,"error":null,"result":` + rootUpdate("good") + `}`, `rejected ` + errDuplicate.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := c.count(tt.want)
			f := dialController(t, c)
			f.receive() // a reply that comes before its request is nobody's
			f.send("%s", tt.bytes)
			f.untilClosed()
			c.untilCalls(t, n+1, tt.want)
		})
	}
	t.Run("oversized", func(t *testing.T) {
		f := dialController(t, c)
		chunk := strings.Repeat("x", 1<<20)
		f.send(`{"id":"`)
		for range 20 {
			f.send("%s", chunk)
		}
		f.untilClosed()
		c.until(t, "the end", func() bool {
			return c.countLocked("rejected "+errMessageSize.Error())+c.countLocked("rejected "+errSlow.Error()) > 0
		})
	})
	t.Run("slow loris", func(t *testing.T) {
		n := c.count("rejected " + errSlow.Error())
		f := dialController(t, c)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			f.send(`{"id":"`)
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					f.send("x")
				}
			}
		}()
		c.untilCalls(t, n+1, "rejected "+errSlow.Error())
	})
	if c.count("gone good") != 0 {
		t.Errorf("the good host was disturbed:\n%s", c.dump())
	}
}

// TestStuckReader: a host that asks and never reads ends by the write deadline.
func TestStuckReader(t *testing.T) {
	c := startController(t, Config{EchoInterval: time.Hour}, func(s *Server) { s.limits.write = 100 * time.Millisecond })
	f := dialController(t, c)
	echo := `{"method":"echo","id":1,"params":["` + strings.Repeat("x", 4000) + `"]}`
	go func() {
		for {
			if _, err := io.WriteString(f.conn, echo); err != nil {
				return
			}
		}
	}()
	c.untilCalls(t, 1, "rejected writing to the host")
}

func TestMaxSessions(t *testing.T) {
	c := startController(t, Config{MaxSessions: 2}, nil)
	dialController(t, c).receive()
	second := dialController(t, c)
	second.receive()
	dialController(t, c).untilClosed()
	c.untilCalls(t, 1, "rejected "+errTooMany.Error())
	_ = second.conn.Close()
	c.untilCalls(t, 1, "rejected EOF")
	dialController(t, c).receive()
}

func TestHandlerRefuses(t *testing.T) {
	c := startController(t, Config{}, nil)
	c.assign = func(HostInfo) (Assignment, error) { return Assignment{}, fmt.Errorf("not mine") }
	f := dialController(t, c)
	f.join("h1")
	f.untilClosed()
	c.untilCalls(t, 1, "seen h1")
	c.stop()
	if n := c.count("gone") + c.count("rejected"); n != 0 {
		t.Error(c.dump())
	}
}

// TestIdentityChanges: a host that becomes another is a new session.
func TestIdentityChanges(t *testing.T) {
	c := startController(t, Config{}, nil)
	f := dialController(t, c)
	f.join("h1")
	m := f.receive()
	if m.Method != "transact" {
		t.Fatalf("%s where transact was expected", m.Method)
	}
	f.send(`{"method":"update","id":null,"params":["dovetail",%s]}`, rootUpdate("h2"))
	f.send(`{"id":%s,"error":null,"result":[{"error":"x","details":"y"}]}`, m.ID)
	c.untilCalls(t, 1, "gone h1 "+errIdentityChanged.Error())
	if c.count("seen h2") != 0 {
		t.Error(c.dump())
	}
}

// TestIdleSessionMemory counts what a thousand hosts cost, both ends of the
// connections included.
func TestIdleSessionMemory(t *testing.T) {
	const n = 200
	c := startController(t, Config{EchoInterval: time.Hour}, func(s *Server) { s.limits.transact = time.Hour })
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := heap()
	for i := range n {
		dialController(t, c).join(fmt.Sprintf("h%d", i))
	}
	c.untilCalls(t, n, "seen")
	per := (int64(heap()) - int64(before)) / n
	t.Logf("%d bytes of heap and stacks a session, the test's end included", per)
	if per > 150<<10 {
		t.Errorf("%d bytes a session", per)
	}
}
