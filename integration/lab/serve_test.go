package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A server echoes and says who came, from where it was told to come; a connection is
// kept until the server ends.
func TestServeAndDial(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	m1, m2 := machine(t, l, 1, OutsideConfig{}), machine(t, l, 2, OutsideConfig{})
	for _, network := range []string{"tcp", "udp"} {
		open := map[string]func(context.Context, Machine, netip.AddrPort, netip.AddrPort) (net.Conn, error){"tcp": Dial, "udp": DialUDP}[network]
		for _, addr := range []func(int) netip.Addr{ext4, ext6} {
			s, err := Serve(m2, network, netip.AddrPortFrom(addr(2), 0))
			if err != nil {
				t.Fatal(err)
			}
			local := netip.AddrPortFrom(addr(1), 4711)
			c, err := open(t.Context(), m1, s.Addr(), local)
			if err != nil {
				t.Fatal(err)
			}
			echoes(t, c, "one")
			echoes(t, c, "two")
			other, err := open(t.Context(), m1, s.Addr(), netip.AddrPort{})
			if err != nil {
				t.Fatal(err)
			}
			echoes(t, other, "three")
			want := []netip.AddrPort{local, other.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()}
			if network == "udp" {
				want = slices.Insert(want, 1, local)
			}
			if got := s.Clients(); !slices.Equal(got, want) {
				t.Errorf("%s: clients %s, want %s", network, got, want)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if network == "tcp" {
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("after the end of the server the connection says %v", err)
				}
			}
			_, _ = c.Close(), other.Close()
		}
	}
	if _, err := Serve(m1, "sctp", netip.AddrPortFrom(ext4(1), 0)); err == nil {
		t.Error("SCTP is served")
	}
	if _, err := Serve(m1, "tcp", netip.AddrPortFrom(ext4(2), 0)); err == nil {
		t.Error("another machine's address is served")
	}
}

func echoes(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Errorf("%q comes back as %q: %v", text, got, err)
	}
}

// A transfer fails when nobody is there, when the bytes are others, and when it takes
// too long.
func TestTransferFails(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	m1, m2 := machine(t, l, 1, OutsideConfig{}), machine(t, l, 2, OutsideConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := Transfer(ctx, m1, m2, ext4(77), 1); err == nil {
		t.Error("bytes are sent to nobody")
	}
	ln, err := Listen(m2.Namespace(), netip.AddrPortFrom(ext4(2), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	liar := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			_, _ = io.CopyN(io.Discard, c, 100)
			_, err = c.Write(bytes.Repeat([]byte{1}, 32))
			_ = c.Close()
		}
		liar <- err
	}()
	to := ln.Addr().(*net.TCPAddr).AddrPort()
	if err := send(t.Context(), m1, to, 100); err == nil || err.Error() != "other bytes arrived than were sent" {
		t.Errorf("a wrong hash says %v", err)
	}
	if err := <-liar; err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	// The kernel takes the connection, and nobody answers.
	if err := send(short, m1, to, 100); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server says %v", err)
	}
}
