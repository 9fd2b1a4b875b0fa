package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netns"
)

// Inside runs f with the calling thread in a namespace. Sockets that f makes stay
// there; goroutines that it starts do not.
func Inside(namespace string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// What f returns replaces it; f that ends the goroutine (as t.Fatal does) does not.
		result := errors.New("the function did not return")
		defer func() { done <- result }()
		// The thread is not unlocked, so that it ends with the goroutine: it never
		// serves others in a wrong namespace.
		runtime.LockOSThread()
		ns, err := netns.GetFromPath(filepath.Join("/run/netns", namespace))
		if err != nil {
			result = fmt.Errorf("opening namespace %s: %w", namespace, err)
			return
		}
		defer func() { _ = ns.Close() }()
		if err := netns.Set(ns); err != nil {
			result = fmt.Errorf("entering namespace %s: %w", namespace, err)
			return
		}
		result = f()
	}()
	return <-done
}

// Listen listens inside a namespace. The address must be one of its own, as numbers.
func Listen(namespace string, at netip.AddrPort) (ln net.Listener, err error) {
	err = Inside(namespace, func() (err error) {
		ln, err = net.Listen("tcp", at.String())
		return err
	})
	return ln, err
}

// Dial opens a TCP connection from inside a namespace.
func Dial(ctx context.Context, namespace string, to netip.AddrPort) (c net.Conn, err error) {
	err = Inside(namespace, func() (err error) {
		// Numbers need no resolver and no second try, which would run on other threads.
		c, err = new(net.Dialer).DialContext(ctx, "tcp", to.String())
		return err
	})
	return c, err
}

// TCP opens a connection from w to an address of another workload, which listens
// for it, and sends bytes both ways.
func (w *Workload) TCP(to *Workload, addr netip.Addr, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ln, err := Listen(to.Namespace(), netip.AddrPortFrom(addr, 0))
	if err != nil {
		return fmt.Errorf("listening at %s: %w", addr, err)
	}
	answered := make(chan error, 1)
	go func() { answered <- answer(ctx, ln) }()
	c, err := Dial(ctx, w.Namespace(), ln.Addr().(*net.TCPAddr).AddrPort())
	if err == nil {
		err = greet(ctx, c)
	}
	_ = ln.Close()
	other := <-answered
	if err != nil {
		return err // the other side has no connection for the same reason
	}
	return other
}

func greet(ctx context.Context, c net.Conn) error {
	defer func() { _ = c.Close() }()
	if err := limit(ctx, c); err != nil {
		return err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len("hello")))
	return err
}

// answer sends back what the first connection says.
func answer(ctx context.Context, ln net.Listener) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := limit(ctx, c); err != nil {
		return err
	}
	_, err = io.CopyN(c, c, int64(len("hello")))
	return err
}

func limit(ctx context.Context, c net.Conn) error {
	end, _ := ctx.Deadline()
	return c.SetDeadline(end)
}
