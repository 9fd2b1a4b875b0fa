package strangers

import (
	"net"
	"net/netip"
	"testing"
)

// conn is a connection from an address that says whether it was closed.
type conn struct {
	net.Conn
	from   netip.Addr
	closed bool
}

func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 7)) }
func (c *conn) Close() error         { c.closed = true; return nil }

func TestHall(t *testing.T) {
	a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("::ffff:192.0.2.3")
	h := NewHall(4)
	var greedy []*conn
	for range 4 {
		g := &conn{from: a}
		if _, ok := h.Enter(g); !ok {
			t.Fatal("refused while there is room")
		}
		greedy = append(greedy, g)
	}
	if _, ok := h.Enter(&conn{from: a}); ok {
		t.Error("one address may have more than there are places")
	}
	first := &conn{from: b}
	leave, ok := h.Enter(first)
	if !ok || !greedy[0].closed || greedy[1].closed {
		t.Errorf("another address: let in %v, oldest turned out %v", ok, greedy[0].closed)
	}
	if _, ok := h.Enter(&conn{from: c}); !ok || !greedy[1].closed {
		t.Error("a third address was not let in")
	}
	// Now 2, 1, 1: nobody has clearly most.
	if _, ok := h.Enter(&conn{from: b}); ok || first.closed || greedy[2].closed {
		t.Error("somebody was turned out for one who has as many")
	}
	leave()
	leave()
	if h.n != 3 {
		t.Errorf("%d after one left twice", h.n)
	}
	if _, ok := h.Enter(&conn{from: b}); !ok {
		t.Error("refused although one has left")
	}
}
