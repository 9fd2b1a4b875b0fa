package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// TCP opens a connection from a machine to another, which listens for it, and sends
// a few bytes both ways. The address is the one that the connection is opened to; the
// other machine listens at all of its own, since the address may be translated.
func TCP(from, to Machine, addr netip.Addr, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return Transfer(ctx, from, to, addr, int64(len("hello")))
}

// Transfer sends so many bytes from a machine to another over TCP, and checks by the
// hash that comes back that they have arrived as they were. The address is as for TCP.
func Transfer(ctx context.Context, from, to Machine, addr netip.Addr, size int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	own := netip.IPv4Unspecified()
	if addr.Is6() {
		own = netip.IPv6Unspecified()
	}
	ln, err := Listen(to.Namespace(), netip.AddrPortFrom(own, 0))
	if err != nil {
		return fmt.Errorf("listening in %s: %w", to.Namespace(), err)
	}
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	received := make(chan error, 1)
	go func() { received <- receive(ctx, ln, size) }()
	err = send(ctx, from, netip.AddrPortFrom(addr, ln.Addr().(*net.TCPAddr).AddrPort().Port()), size)
	if err != nil {
		cancel() // nobody will come
	}
	_ = ln.Close()
	other := <-received
	if err == nil {
		err = other
	}
	if err != nil {
		return fmt.Errorf("%d bytes from %s to %s (%s): %w", size, from.Namespace(), addr, to.Namespace(), err)
	}
	return nil
}

// send is the side that opens the connection.
func send(ctx context.Context, from Machine, to netip.AddrPort, size int64) error {
	c, err := Dial(ctx, from, to, netip.AddrPort{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	sent, got := sha256.New(), make([]byte, sha256.Size)
	data := io.LimitReader(rand.NewChaCha8([32]byte{}), size)
	if _, err := io.Copy(c, io.TeeReader(data, sent)); err != nil {
		return fmt.Errorf("sending: %w", because(ctx, err))
	}
	if _, err := io.ReadFull(c, got); err != nil {
		return fmt.Errorf("waiting for the hash: %w", because(ctx, err))
	}
	if !bytes.Equal(got, sent.Sum(nil)) {
		return errors.New("other bytes arrived than were sent")
	}
	return nil
}

// receive takes the first connection, and answers with the hash of what came.
func receive(ctx context.Context, ln net.Listener, size int64) error {
	c, err := ln.Accept()
	if err != nil {
		return because(ctx, err)
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	hash := sha256.New()
	if n, err := io.CopyN(hash, c, size); err != nil {
		return fmt.Errorf("receiving, after %d bytes: %w", n, because(ctx, err))
	}
	_, err = c.Write(hash.Sum(nil))
	return err
}

// because names the end of ctx where that is why a socket was closed.
func because(ctx context.Context, err error) error {
	if errors.Is(err, net.ErrClosed) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
