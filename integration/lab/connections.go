package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Connections are TCP connections to an echo server that are kept open, to be asked
// which of them still work. Its methods are not safe for concurrent use.
type Connections struct {
	open  []*connection
	round byte
}

// ConnectionState is what became of a connection when it was last asked.
type ConnectionState string

// The states of connections.
const (
	ConnectionWorks  ConnectionState = "works"  // what was sent came back
	ConnectionSilent ConnectionState = "silent" // nothing came back in time; it may yet
	ConnectionBroken ConnectionState = "broken" // it was reset or closed, and stays so
)

type connection struct {
	net.Conn
	state ConnectionState
}

// atOnce is how many connections are opened at the same time.
const atOnce = 16

// OpenConnections opens n connections from a machine to an echo server (see Serve).
// If one cannot be opened until ctx ends, none stays open. Close must be called.
func OpenConnections(ctx context.Context, from Machine, to netip.AddrPort, n int) (*Connections, error) {
	c := &Connections{open: make([]*connection, n)}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range c.open {
		g.Go(func() error {
			conn, err := Dial(ctx, from, to, netip.AddrPort{})
			if err != nil {
				return fmt.Errorf("connection %d from %s to %s: %w", i+1, from.Namespace(), to, err)
			}
			c.open[i] = &connection{conn, ConnectionWorks}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Ask sends a byte over each connection, all at once, and waits so long at most for
// what comes back. The states are in the order in which LocalAddrs are.
func (c *Connections) Ask(timeout time.Duration) []ConnectionState {
	c.round++
	end := time.Now().Add(timeout)
	states := make([]ConnectionState, len(c.open))
	var work sync.WaitGroup
	for i, conn := range c.open {
		work.Go(func() {
			conn.ask(c.round, end)
			states[i] = conn.state
		})
	}
	work.Wait()
	return states
}

// Count asks, and says how many connections are in which state.
func (c *Connections) Count(timeout time.Duration) map[ConnectionState]int {
	counts := map[ConnectionState]int{}
	for _, s := range c.Ask(timeout) {
		counts[s]++
	}
	return counts
}

// ask brings the connection's state up to date.
func (c *connection) ask(round byte, end time.Time) {
	if c.state == ConnectionBroken {
		return
	}
	got := []byte{round + 1}
	err := c.SetDeadline(end)
	if err == nil {
		_, err = c.Write([]byte{round})
	}
	// Answers to earlier questions may come late, before this one's.
	for err == nil && got[0] != round {
		_, err = io.ReadFull(c, got)
	}
	c.state = stateAfter(err)
}

func stateAfter(err error) ConnectionState {
	if err == nil {
		return ConnectionWorks
	}
	if t, ok := err.(net.Error); ok && t.Timeout() {
		return ConnectionSilent
	}
	return ConnectionBroken
}

// LocalAddrs are where the connections come from, in order.
func (c *Connections) LocalAddrs() []netip.AddrPort {
	var list []netip.AddrPort
	for _, conn := range c.open {
		list = append(list, conn.LocalAddr().(*net.TCPAddr).AddrPort())
	}
	return list
}

// Close closes the connections.
func (c *Connections) Close() {
	for _, conn := range c.open {
		if conn != nil {
			_ = conn.Close()
		}
	}
}
