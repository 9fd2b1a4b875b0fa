package ovsdb

import (
	"bufio"
	"encoding/json"
	"net"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/strangers"
)

// TestOneAddressDoesNotKeepOthersOut: connections that say nothing take all places,
// and a host from another address joins all the same.
func TestOneAddressDoesNotKeepOthersOut(t *testing.T) {
	c := startController(t, Config{EchoInterval: time.Hour}, func(s *Server) { s.strangers = strangers.NewHall(8) })
	for range 20 {
		dialController(t, c)
	}
	c.untilCalls(t, 1, "rejected "+errStrangers.Error())
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := d.Dial("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &fakeHost{t: t, conn: conn, in: json.NewDecoder(bufio.NewReader(conn))}
	f.join("good")
	c.untilCalls(t, 1, "seen good")
}
