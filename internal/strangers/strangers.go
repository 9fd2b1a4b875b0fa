// Package strangers keeps connections that have not yet said who they are: so many
// at once, and fairly, so that one address that opens more and more of them does
// not keep others out. It owns no connection; whom it turns out it closes.
package strangers

import (
	"net"
	"net/netip"
	"sync"
)

// Hall is where strangers wait. It is safe for concurrent use.
type Hall struct {
	max int

	mu     sync.Mutex
	n      int
	guests map[netip.Addr][]*guest // by address, the oldest first
}

type guest struct{ conn net.Conn }

// NewHall makes a hall for at most max connections.
func NewHall(max int) *Hall { return &Hall{max: max, guests: make(map[netip.Addr][]*guest)} }

// Enter lets a connection in, until leave is called, which may be more than once.
// When the hall is full the oldest connection of the address that has most there is
// closed to make room, unless the newcomer's address has about as many: then ok is
// false, and the newcomer is the one to be closed.
func (h *Hall) Enter(conn net.Conn) (leave func(), ok bool) {
	from := address(conn)
	g := &guest{conn}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n >= h.max && !h.makeRoom(len(h.guests[from])+1) {
		return nil, false
	}
	h.n++
	h.guests[from] = append(h.guests[from], g)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(from, g)
	}, true
}

// makeRoom turns out the oldest of the address that has most, if that is more than
// mine.
func (h *Hall) makeRoom(mine int) bool {
	var most netip.Addr
	for a, g := range h.guests {
		if len(g) > len(h.guests[most]) {
			most = a
		}
	}
	if len(h.guests[most]) <= mine {
		return false
	}
	oldest := h.guests[most][0]
	h.remove(most, oldest)
	_ = oldest.conn.Close()
	return true
}

func (h *Hall) remove(from netip.Addr, g *guest) {
	list := h.guests[from]
	for i := range list {
		if list[i] == g {
			list = append(list[:i], list[i+1:]...)
			h.n--
			break
		}
	}
	if len(list) == 0 {
		delete(h.guests, from)
	} else {
		h.guests[from] = list
	}
}

// address is zero for what has none, as a Unix socket.
func address(conn net.Conn) netip.Addr {
	if a := conn.RemoteAddr(); a != nil {
		if at, err := netip.ParseAddrPort(a.String()); err == nil {
			return at.Addr().Unmap()
		}
	}
	return netip.Addr{}
}
