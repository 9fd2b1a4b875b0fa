package ofctrl

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestOneAddressDoesNotKeepOthersOut: connections that say nothing take all places,
// and a switch from another address is spoken to all the same.
func TestOneAddressDoesNotKeepOthersOut(t *testing.T) {
	r := serve(t, "127.0.0.1:0", func(c *Config) { c.limits.handshake, c.limits.strangers = time.Hour, 8 })
	for range 20 {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	r.untilEvent(t, "rejected: more than")
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		t.Errorf("no hello for the other address: %v", err)
	}
}
