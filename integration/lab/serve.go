package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// maxClients is how many clients a server writes down; those after them it serves all
// the same.
const maxClients = 1 << 16

// Server echoes what it is sent, and writes down who sends it. Its methods are safe
// for concurrent use.
type Server struct {
	addr   netip.AddrPort
	socket io.Closer
	work   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	clients []netip.AddrPort
	open    map[net.Conn]bool
}

// Serve starts an echo server of TCP ("tcp") or UDP ("udp") on a machine. Port 0 is
// any that is free: see Addr. Close must be called.
//
// A UDP server at the unspecified address answers from the address that its machine's
// routes choose, which need not be the one that was asked.
func Serve(at Machine, network string, addr netip.AddrPort) (*Server, error) {
	s := &Server{open: map[net.Conn]bool{}}
	err := Inside(at.Namespace(), func() error {
		switch network {
		case "tcp":
			ln, err := net.ListenTCP(network, net.TCPAddrFromAddrPort(addr))
			if err != nil {
				return err
			}
			s.socket, s.addr = ln, ln.Addr().(*net.TCPAddr).AddrPort()
			s.work.Go(func() { s.accept(ln) })
		case "udp":
			c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
			if err != nil {
				return err
			}
			s.socket, s.addr = c, c.LocalAddr().(*net.UDPAddr).AddrPort()
			s.work.Go(func() { s.answer(c) })
		default:
			return fmt.Errorf("network %q is none of tcp, udp", network)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("serving %s at %s in %s: %w", network, addr, at.Namespace(), err)
	}
	return s, nil
}

// accept serves connections until the listener is closed.
func (s *Server) accept(ln *net.TCPListener) {
	for {
		c, err := ln.AcceptTCP()
		if err != nil || !s.enter(c) {
			return
		}
		s.work.Go(func() {
			defer s.leave(c)
			_, _ = io.Copy(c, c)
		})
	}
}

// enter writes a connection down, unless the server is being closed.
func (s *Server) enter(c *net.TCPConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return false
	}
	s.open[c] = true
	s.seen(c.RemoteAddr().(*net.TCPAddr).AddrPort())
	return true
}

func (s *Server) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	_ = c.Close()
}

// answer sends datagrams back until the socket is closed.
func (s *Server) answer(c *net.UDPConn) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // that an earlier answer was refused
		}
		s.mu.Lock()
		s.seen(from)
		s.mu.Unlock()
		_, _ = c.WriteToUDPAddrPort(buf[:n], from)
	}
}

// seen must be called with the lock held.
func (s *Server) seen(client netip.AddrPort) {
	if len(s.clients) < maxClients {
		s.clients = append(s.clients, netip.AddrPortFrom(client.Addr().Unmap(), client.Port()))
	}
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Clients are who has connected (TCP) or sent a datagram (UDP, one for each), as the
// server sees them, in the order in which they came. It keeps the first 65,536.
func (s *Server) Clients() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.clients)
}

// Close ends the server and its connections, and waits for that.
func (s *Server) Close() error {
	err := s.socket.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	return err
}
