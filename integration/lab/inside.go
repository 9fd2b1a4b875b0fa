package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netns"
)

// Machine is where programs run and sockets are: a workload, a machine outside, or a
// host.
type Machine interface {
	Namespace() string
	Command(args ...string) *exec.Cmd
}

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

// Dial opens a TCP connection from a machine. A local address that is not the zero
// AddrPort is where it comes from; port 0 is any. The connection may be used by any
// goroutine, and is the caller's to close.
func Dial(ctx context.Context, from Machine, to, local netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	return dial(ctx, &d, from, "tcp", to)
}

// DialUDP is Dial for UDP.
func DialUDP(ctx context.Context, from Machine, to, local netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if local.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
	}
	return dial(ctx, &d, from, "udp", to)
}

func dial(ctx context.Context, d *net.Dialer, from Machine, network string, to netip.AddrPort) (c net.Conn, err error) {
	err = Inside(from.Namespace(), func() (err error) {
		// Numbers need no resolver and no second try, which would run on other threads.
		c, err = d.DialContext(ctx, network, to.String())
		return err
	})
	return c, err
}
