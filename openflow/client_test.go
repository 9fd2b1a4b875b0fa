package openflow

import (
	"bytes"
	"net"
	"slices"
	"testing"
)

// client is a minimal controller for tests.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *Reader
	xid  uint32
	seen []Message // what came without being waited for
}

// connect opens a session with the bridge and exchanges hellos.
func (v *vswitch) connect() *client {
	v.t.Helper()
	c := &client{t: v.t, conn: v.dial()}
	c.r = NewReader(c.conn)
	c.send(Hello())
	if m := c.next(); !NegotiateVersion(m) {
		v.t.Fatalf("no hello that allows OpenFlow 1.3: %+v", m)
	}
	return c
}

func (c *client) send(msgs ...[]byte) {
	c.t.Helper()
	for _, m := range msgs {
		m = bytes.Clone(m)
		c.xid++
		SetXID(m, c.xid)
		if _, err := c.conn.Write(m); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *client) next() Message {
	c.t.Helper()
	m, err := c.r.Next()
	if err != nil {
		c.t.Fatalf("read from the switch: %v", err)
	}
	if m.Type != TypeHello && m.Version != version13 {
		c.t.Fatalf("message of version %d: %+v", m.Version, m)
	}
	m.Body = bytes.Clone(m.Body)
	if m.Type == TypeEchoRequest {
		reply := EchoReply(m.Body)
		SetXID(reply, m.XID)
		if _, err := c.conn.Write(reply); err != nil {
			c.t.Fatal(err)
		}
		return c.next()
	}
	return m
}

// do sends msgs and a barrier and returns what comes before the barrier's reply.
func (c *client) do(msgs ...[]byte) []Message {
	c.t.Helper()
	c.send(msgs...)
	c.send(BarrierRequest())
	var got []Message
	for {
		m := c.next()
		if m.Type == TypeBarrierReply && m.XID == c.xid {
			return got
		}
		got = append(got, m)
	}
}

// must is do for messages that have no answer.
func (c *client) must(msgs ...[]byte) {
	c.t.Helper()
	for _, m := range c.do(msgs...) {
		if m.Type == TypeError {
			c.t.Fatalf("the switch refused: %v", c.errorOf(m))
		}
		c.seen = append(c.seen, m)
	}
}

func (c *client) errorOf(m Message) error {
	c.t.Helper()
	e, err := DecodeError(m)
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

// refused is the error that msg gets.
func (c *client) refused(msg []byte) *ErrorMsg {
	c.t.Helper()
	for _, m := range c.do(msg) {
		if m.Type == TypeError {
			e, err := DecodeError(m)
			if err != nil {
				c.t.Fatal(err)
			}
			return e
		}
	}
	c.t.Fatal("the switch did not refuse it")
	return nil
}

// multipart sends a request and returns the bodies of the replies.
func (c *client) multipart(request []byte) [][]byte {
	c.t.Helper()
	var bodies [][]byte
	for _, m := range c.do(request) {
		if m.Type == TypeError {
			c.t.Fatalf("the switch refused: %v", c.errorOf(m))
		}
		if m.Type != TypeMultipartReply {
			continue
		}
		p, err := DecodeMultipart(m)
		if err != nil {
			c.t.Fatal(err)
		}
		bodies = append(bodies, p.Body)
	}
	return bodies
}

func (c *client) flows() []FlowStat {
	c.t.Helper()
	var flows []FlowStat
	for _, body := range c.multipart(FlowStatsRequest()) {
		stats, err := DecodeFlowStats(body)
		if err != nil {
			c.t.Fatal(err)
		}
		flows = append(flows, stats...)
	}
	return flows
}

// await returns the first message of a type, from now on or already seen.
func (c *client) await(t Type) Message {
	c.t.Helper()
	if i := slices.IndexFunc(c.seen, func(m Message) bool { return m.Type == t }); i >= 0 {
		m := c.seen[i]
		c.seen = slices.Delete(c.seen, i, i+1)
		return m
	}
	for {
		if m := c.next(); m.Type == t {
			return m
		}
	}
}
