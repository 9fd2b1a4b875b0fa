package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// WebServer answers HTTP requests with its name, so that clients see which of several
// servers they got to. Its methods are safe for concurrent use.
type WebServer struct {
	name   string
	addr   netip.AddrPort
	server *http.Server
	done   chan struct{}

	mu      sync.Mutex
	clients []netip.AddrPort
}

// ServeWeb starts a server on a machine. Port 0 is any that is free: see Addr. Close
// must be called.
func ServeWeb(at Machine, addr netip.AddrPort, name string) (*WebServer, error) {
	ln, err := Listen(at.Namespace(), addr)
	if err != nil {
		return nil, fmt.Errorf("serving HTTP at %s in %s: %w", addr, at.Namespace(), err)
	}
	s := &WebServer{name: name, addr: ln.Addr().(*net.TCPAddr).AddrPort(), done: make(chan struct{})}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(ln) // until Close
	}()
	return s, nil
}

// ServeHTTP answers one request.
func (s *WebServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if client, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		s.mu.Lock()
		if len(s.clients) < maxClients {
			s.clients = append(s.clients, netip.AddrPortFrom(client.Addr().Unmap(), client.Port()))
		}
		s.mu.Unlock()
	}
	_, _ = io.WriteString(w, s.name)
}

// Addr is where the server listens.
func (s *WebServer) Addr() netip.AddrPort { return s.addr }

// Clients are who has asked, one for each request: the first 65,536.
func (s *WebServer) Clients() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.clients)
}

// Close ends the server and its connections.
func (s *WebServer) Close() error {
	err := s.server.Close()
	<-s.done
	return err
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 10

// AskWeb asks a web server over a new connection, and returns the name that it
// answers with.
func AskWeb(ctx context.Context, from Machine, to netip.AddrPort) (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return Dial(ctx, from, to, netip.AddrPort{})
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to.String(), nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking %s from %s: %w", to, from.Namespace(), err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return "", fmt.Errorf("the answer of %s to %s: %w", to, from.Namespace(), err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s to %s", to, resp.Status, from.Namespace())
	}
	return string(body), nil
}
