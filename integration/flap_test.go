package integration

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// stream keeps a connection to an echo server busy, both ways, until it is closed.
type stream struct {
	c     net.Conn
	came  atomic.Int64
	ended chan error
}

func (s *failoverSite) stream(c net.Conn) *stream {
	b := &stream{c: c, ended: make(chan error, 2)}
	go func() {
		_, err := io.Copy(c, zeros{})
		b.ended <- fmt.Errorf("sending: %w", err)
	}()
	go func() {
		_, err := io.Copy(&counter{&b.came}, c)
		b.ended <- fmt.Errorf("receiving: %w", err)
	}()
	s.t.Cleanup(func() {
		_ = c.Close()
		<-b.ended
		<-b.ended
	})
	return b
}

// moves waits until so many more bytes have come back.
func (b *stream) moves(t *testing.T, what string, more int64) {
	t.Helper()
	before, began := b.came.Load(), time.Now()
	eventually(t, 20*time.Second, func() error {
		select {
		case err := <-b.ended:
			b.ended <- err
			t.Fatalf("%s: the connection ended: %v", what, err)
		default:
		}
		if got := b.came.Load() - before; got < more {
			return fmt.Errorf("%s: %d of %d bytes came back", what, got, more)
		}
		return nil
	})
	t.Logf("%s: %d bytes came back in %s", what, more, time.Since(began).Round(time.Millisecond))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type counter struct{ n *atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// takesForDead has a host take another one for dead, or believe its own eyes again.
func (s *failoverSite) takesForDead(host, other string, dead bool) {
	s.t.Helper()
	port, err := s.link(host, other)
	s.must(err)
	how := map[bool]string{true: "false", false: "normal"}[dead]
	_, err = s.lab.Host(host).Appctl("bfd/set-forwarding", port, how)
	s.must(err)
}

// A busy connection by source NAT survives that its gateway host is taken for dead
// and comes back, although that host still knows where the connection was before: it
// has missed more of it than a TCP window.
func TestSourceNATSurvivesFlaps(t *testing.T) {
	t.Parallel()
	s := startFailover(t)
	s.watched(t, "h1", true)
	s.watched(t, "h2", true)
	b := s.stream(s.dial(s.a, s.echo))
	const much = 16 << 20
	b.moves(t, "before", much)
	switchd := s.lab.Host("h1").PID("ovs-vswitchd")
	for _, fault := range []struct {
		name       string
		begin, end func()
	}{
		{"to h3 alone h1 is dead", func() { s.takesForDead("h3", "h1", true) }, func() { s.takesForDead("h3", "h1", false) }},
		{"h1 is cut off", func() { s.must(s.lab.Host("h1").CutUnderlay(true)) }, func() { s.must(s.lab.Host("h1").CutUnderlay(false)) }},
		{"h1 has no processor", func() { s.must(syscall.Kill(switchd, syscall.SIGSTOP)) }, func() { s.must(syscall.Kill(switchd, syscall.SIGCONT)) }},
	} {
		for range 2 {
			fault.begin()
			s.watched(t, "h1", false)
			b.moves(t, fault.name, much)
			fault.end()
			s.watched(t, "h1", true)
			b.moves(t, fault.name+" no longer", much)
		}
	}
}

// The host that carries a lane goes on with it while another one of its gateway dies,
// is cut off and comes back.
//
// It runs alone, since hosts without a processor for 150 ms are dead to each other.
func TestStandbyComesAndGoes(t *testing.T) {
	s := startFailover(t)
	for _, fault := range []struct {
		name       string
		begin, end func(string)
	}{
		{"kill", s.killSwitch, s.startSwitch},
		{"cut", func(h string) { s.must(s.lab.Host(h).CutUnderlay(true)) }, func(h string) { s.must(s.lab.Host(h).CutUnderlay(false)) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for try := 1; ; try++ {
				s.carried(t, "h1")
				s.watched(t, "h2", true)
				f := s.traffic(t)
				f.flows(20*time.Second, 400)
				before := s.flapsOf("h3", "h1")
				fault.begin("h2")
				s.watched(t, "h2", false)
				fault.end("h2")
				s.watched(t, "h2", true)
				f.flows(20*time.Second, 600)
				f.stop(fault.name)
				flaps := s.flapsOf("h3", "h1") - before
				if flaps == 0 {
					break
				}
				if try == 3 {
					t.Fatalf("h3 took h1 for dead %d times", flaps)
				}
				t.Logf("again: h3 took h1 for dead %d times", flaps)
			}
		})
	}
}

// flapsOf is how often a host took another one for dead, and alive again.
func (s *failoverSite) flapsOf(host, other string) int {
	s.t.Helper()
	port, err := s.link(host, other)
	s.must(err)
	n, err := strconv.Atoi(s.vsctl(host, "get", "Interface", port, "bfd_status:flap_count"))
	s.must(err)
	return n
}
