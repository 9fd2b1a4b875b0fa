package bgp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// listener is a peer of our own making.
type listener struct{ *net.TCPListener }

var listeners atomic.Int32

func listen(t *testing.T) listener {
	t.Helper()
	// Each at an address of its own: that is what the speaker knows peers by.
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(listeners.Add(1)))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return listener{l}
}

// narrow makes the connections' receive buffers small.
func (l listener) narrow(t *testing.T) {
	t.Helper()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
}

func (l listener) peer(asn uint32) Peer {
	a := l.Addr().(*net.TCPAddr).AddrPort()
	return Peer{Address: a.Addr(), Port: a.Port(), ASN: asn}
}

// accept returns the next connection once the speaker's OPEN has been read from it.
func (l listener) accept(t *testing.T) net.Conn {
	t.Helper()
	_ = l.SetDeadline(time.Now().Add(30 * time.Second))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if m := read(t, conn); m.Header.Type != bgp.BGP_MSG_OPEN {
		t.Fatalf("the speaker starts with a message of type %d", m.Header.Type)
	}
	return conn
}

// establish is a session with all that the speaker can do but ADD-PATH.
func (l listener) establish(t *testing.T, asn uint32, hold time.Duration) net.Conn {
	t.Helper()
	conn := l.accept(t)
	lim := defaultLimits()
	lim.hold = hold
	cfg := sessionConfig{asn: asn, routerID: netip.MustParseAddr("192.0.2.1")}
	send(t, conn, openMessage(cfg, lim, false))
	send(t, conn, bgp.NewBGPKeepAliveMessage())
	if m := read(t, conn); m.Header.Type != bgp.BGP_MSG_KEEPALIVE {
		t.Fatalf("OPEN was answered with %+v", m.Body)
	}
	return conn
}

func raw(t *testing.T, m *bgp.BGPMessage) []byte {
	t.Helper()
	b, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func send(t *testing.T, conn net.Conn, m *bgp.BGPMessage) {
	t.Helper()
	if _, err := conn.Write(raw(t, m)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, conn net.Conn) *bgp.BGPMessage {
	t.Helper()
	b, err := readRaw(conn)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bgp.ParseBGPMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func readRaw(r io.Reader) ([]byte, error) {
	h := make([]byte, headerLength)
	if _, err := io.ReadFull(r, h); err != nil {
		return nil, err
	}
	m := append(h, make([]byte, int(binary.BigEndian.Uint16(h[16:]))-headerLength)...)
	_, err := io.ReadFull(r, m[headerLength:])
	return m, err
}

// notification reads on until there is one.
func notification(t *testing.T, conn net.Conn) *bgp.BGPNotification {
	t.Helper()
	for {
		if n, ok := read(t, conn).Body.(*bgp.BGPNotification); ok {
			return n
		}
	}
}

func TestAHundredThousandRoutesCostNothing(t *testing.T) {
	l := listen(t)
	s := startSpeaker(t, config(64512, l.peer(65001)))
	announce(t, s, stays)
	conn := l.establish(t, 65001, 9*time.Second)
	before := waitEstablished(t, s, l.peer(0).Address)
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	var m, n runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	attributes := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), bgp.NewPathAttributeAsPath(nil)}
	for i := 0; i < 100_000; i += prefixesPerMessage {
		var paths []path
		for j := range prefixesPerMessage {
			a := netip.AddrFrom4([4]byte{20, byte((i + j) >> 16), byte((i + j) >> 8), byte(i + j)})
			paths = append(paths, path{prefix: netip.PrefixFrom(a, 32)})
		}
		send(t, conn, announcement(paths, netip.MustParseAddr("192.0.2.1"), slices.Clone(attributes)))
	}
	// Whatever the content of an UPDATE: it is not looked at.
	garbage := bytes.Repeat([]byte{0xff}, 500)
	binary.BigEndian.PutUint16(garbage[16:], 500)
	garbage[18] = bgp.BGP_MSG_UPDATE
	if _, err := conn.Write(garbage); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&n)
	if grown := int64(n.HeapAlloc) - int64(m.HeapAlloc); grown > 1<<20 {
		t.Errorf("100,000 routes cost %d bytes", grown)
	}
	if now := stateOf(s, l.peer(0).Address); now.Established != before.Established {
		t.Errorf("the session was %+v and is %+v", before, now)
	}
}

// What a peer does wrong costs its session, and not that of another.
func TestGarbageCostsOnlyItsSession(t *testing.T) {
	r, l := startRouter(t, 65001, 64512), listen(t)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}, l.peer(65009)))
	announce(t, s, stays)
	r.waitRoutes(stays)
	before := waitEstablished(t, s, r.addr)

	header := func(size uint16, kind byte) []byte {
		b := append(bytes.Repeat([]byte{0xff}, 16), 0, 0, kind)
		binary.BigEndian.PutUint16(b[16:], size)
		return b
	}
	wrongOpen := func(change func(*bgp.BGPOpen)) []byte {
		m := openMessage(sessionConfig{asn: 65009, routerID: netip.MustParseAddr("192.0.2.1")}, defaultLimits(), false)
		change(m.Body.(*bgp.BGPOpen))
		return raw(t, m)
	}
	for _, c := range []struct {
		name          string
		opened        bool // the session is established before
		bytes         []byte
		code, subcode uint8
	}{
		{"no marker", false, make([]byte, 100), 1, 1},
		{"no marker later", true, make([]byte, 100), 1, 1},
		{"short", true, header(18, bgp.BGP_MSG_UPDATE), 1, 2},
		{"long", true, header(4097, bgp.BGP_MSG_UPDATE), 1, 2},
		{"long keepalive", true, header(20, bgp.BGP_MSG_KEEPALIVE), 1, 2},
		{"unknown type", true, header(19, 9), 1, 3},
		{"short notification", true, header(19, bgp.BGP_MSG_NOTIFICATION), 1, 2},
		{"keepalive first", false, header(19, bgp.BGP_MSG_KEEPALIVE), 5, 0},
		{"short OPEN", false, header(19, bgp.BGP_MSG_OPEN), 1, 2},
		{"OPEN twice", true, wrongOpen(func(*bgp.BGPOpen) {}), 5, 0},
		{"wrong version", false, wrongOpen(func(o *bgp.BGPOpen) { o.Version = 3 }), 2, 1},
		{"wrong hold time", false, wrongOpen(func(o *bgp.BGPOpen) { o.HoldTime = 1 }), 2, 6},
		{"no router ID", false, wrongOpen(func(o *bgp.BGPOpen) { o.ID = netip.AddrFrom4([4]byte{}) }), 2, 3},
	} {
		var conn net.Conn
		if c.opened {
			conn = l.establish(t, 65009, 9*time.Second)
		} else {
			conn = l.accept(t)
		}
		if _, err := conn.Write(c.bytes); err != nil {
			t.Fatal(err)
		}
		if n := notification(t, conn); n.ErrorCode != c.code || n.ErrorSubcode != c.subcode {
			t.Errorf("%s: told %d/%d, not %d/%d", c.name, n.ErrorCode, n.ErrorSubcode, c.code, c.subcode)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the connection is still open", c.name)
		}
		conn.Close()
	}
	if now := stateOf(s, r.addr); now.Established != before.Established {
		t.Errorf("the router's session was %+v and is %+v", before, now)
	}
}

func TestASilentPeerIsLeft(t *testing.T) {
	l := listen(t)
	s := startSpeaker(t, config(64512, l.peer(65001)))
	announce(t, s, stays)
	conn := l.establish(t, 65001, 3*time.Second)
	if n := notification(t, conn); n.ErrorCode != bgp.BGP_ERROR_HOLD_TIMER_EXPIRED {
		t.Errorf("told %d/%d", n.ErrorCode, n.ErrorSubcode)
	}
}

func TestAPeerThatTakesNothingHoldsNobodyUp(t *testing.T) {
	stuck, well := listen(t), listen(t)
	stuck.narrow(t)
	s := New(zerolog.New(zerolog.NewTestWriter(t)))
	t.Cleanup(s.Close)
	s.limits.hold = 3 * time.Second
	apply(t, s, config(64512, stuck.peer(65001), well.peer(65002)))
	announce(t, s)
	// Neither is asked for keepalives.
	_, conn := stuck.establish(t, 65001, 0), well.establish(t, 65002, 0)

	// More than the buffers of a connection hold, and then one more.
	var many []Route
	for i := range 250_000 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5, byte(i >> 16), byte(i >> 8), byte(i)})
		many = append(many, Route{Prefix: netip.PrefixFrom(a, 128), NextHop: six.NextHop})
	}
	announce(t, s, many...)
	announce(t, s, append(many, stays)...)
	last := []byte{24, 10, 1, 0} // stays
	for in := bufio.NewReader(conn); ; {
		m, err := readRaw(in)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasSuffix(m, last) {
			break
		}
	}
	eventually(t, "the peer that takes nothing is left", func() (bool, any) {
		p := stateOf(s, stuck.peer(0).Address)
		return strings.Contains(p.LastError, "timeout"), p
	})
	if p := stateOf(s, well.peer(0).Address); p.Established.IsZero() || p.LastError != "" {
		t.Errorf("the other is %+v", p)
	}
}

func TestANotificationIsTheReason(t *testing.T) {
	l := listen(t)
	s := startSpeaker(t, config(64512, l.peer(65001)))
	announce(t, s, stays)
	conn := l.establish(t, 65001, 9*time.Second)
	send(t, conn, bgp.NewBGPNotificationMessage(bgp.BGP_ERROR_CEASE, bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, nil))
	_ = conn.(*net.TCPConn).CloseWrite()
	eventually(t, "the reason", func() (bool, any) {
		p := stateOf(s, l.peer(0).Address)
		return strings.Contains(strings.ToLower(p.LastError), "shutdown"), p
	})
}

func FuzzReader(f *testing.F) {
	cfg := sessionConfig{asn: 64512, routerID: netip.MustParseAddr("198.18.0.1"), peer: Peer{ASN: 65001}}
	open, _ := openMessage(sessionConfig{asn: 65001, routerID: netip.MustParseAddr("192.0.2.1")}, defaultLimits(), true).Serialize()
	alive, _ := bgp.NewBGPKeepAliveMessage().Serialize()
	cease, _ := bgp.NewBGPNotificationMessage(6, 2, nil).Serialize()
	f.Add(append(append(open, alive...), cease...))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := newReader(bytes.NewReader(b))
		body, err := in.expect(t.Context(), bgp.BGP_MSG_OPEN)
		if err == nil {
			var wrong *bgp.MessageError
			if _, err := parseOpen(body, cfg); err != nil && !errors.As(err, &wrong) {
				t.Errorf("an OPEN is refused without an error that can be told: %v", err)
			}
		}
		err = in.skim(t.Context(), func() error { return nil }, func() {})
		if err == nil {
			t.Error("reading ended without a reason")
		}
		_ = err.Error()
		farewell(err, true)
	})
}
