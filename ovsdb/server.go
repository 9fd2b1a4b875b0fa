package ovsdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/dovetail-sdn/dovetail/internal/strangers"
)

const (
	defaultEchoInterval = 5 * time.Second
	defaultMaxSessions  = 8192
	maxStrangers        = 1024 // hosts that have dialled in and have not yet said who they are
)

var (
	errServerClosed = errors.New("the controller stops")
	errDuplicate    = errors.New("another session with this system-id is alive")
	errReplaced     = errors.New("replaced by a new connection of the same host")
	errTooMany      = errors.New("too many OVSDB sessions")
	errStrangers    = fmt.Errorf("more than %d connections have not yet said who they are", maxStrangers)
)

// limits are bounds in time. Tests make them small.
type limits struct {
	handshake       time.Duration // TLS, and the answer to the monitor request
	message         time.Duration // from a message's first byte to its last
	write           time.Duration // of one message
	transact        time.Duration // until a transaction is answered
	probe           time.Duration // until an old session must answer a newcomer's challenge
	correctionEvery time.Duration
	build           time.Duration
	redialMin       time.Duration
	redialMax       time.Duration
}

func defaultLimits(echo time.Duration) limits {
	return limits{
		handshake: max(15*time.Second, 2*echo), message: max(30*time.Second, 4*echo), write: max(10*time.Second, 2*echo),
		transact: max(10*time.Second, 2*echo), probe: min(2*time.Second, echo),
		correctionEvery: correctionEvery, build: buildPatience,
		redialMin: 250 * time.Millisecond, redialMax: 8 * time.Second,
	}
}

// Server keeps sessions with hosts. Its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	limits limits
	budget *budget
	// strangers are hosts that have dialled in and have not yet said who they are.
	strangers *strangers.Hall
	rejects   *rate.Limiter // of what is told of refused connections
	// onTransact is called before each transaction is sent; for tests.
	onTransact func()

	mu       sync.Mutex
	sessions int
	hosts    map[string]*session // by system-id
}

// NewServer makes a server without sessions. cfg.Handler must be set.
func NewServer(cfg Config) *Server {
	if cfg.EchoInterval <= 0 {
		cfg.EchoInterval = defaultEchoInterval
	}
	if cfg.MaxSessions <= 0 {
		cfg.MaxSessions = defaultMaxSessions
	}
	return &Server{
		cfg: cfg, limits: defaultLimits(cfg.EchoInterval), budget: newBudget(serverBudgetBytes),
		hosts: make(map[string]*session), strangers: strangers.NewHall(maxStrangers), rejects: rate.NewLimiter(10, 100),
	}
}

// Serve accepts hosts that dial the controller until ctx ends, then closes every
// session that it accepted and waits for their goroutines. It then returns nil;
// any other end is an error of the listener. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	parent := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel(errServerClosed)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	defer func() { _ = ln.Close() }()

	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		if parent.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accepting OVSDB sessions on %s: %w", ln.Addr(), err)
		}
		if err != nil { // too many open files, a connection that was reset at once
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Log.Warn().Err(err).Msg("accepting an OVSDB session")
			sleep(ctx, pause)
			continue
		}
		pause = 0
		sessions.Go(func() { _ = s.handle(ctx, conn, "") })
	}
}

// handle runs a session on conn, and closes conn.
func (s *Server) handle(ctx context.Context, conn net.Conn, dialled string) error {
	defer func() { _ = conn.Close() }()
	if !s.enter() {
		s.reject(conn.RemoteAddr(), errTooMany)
		return errTooMany
	}
	defer s.leave()
	introduced := func() {}
	if dialled == "" {
		var ok bool
		if introduced, ok = s.strangers.Enter(conn); !ok {
			s.reject(conn.RemoteAddr(), errStrangers)
			return errStrangers
		}
	}
	defer introduced()
	if t, ok := conn.(*tls.Conn); ok {
		handshake, cancel := context.WithTimeout(ctx, s.limits.handshake)
		err := t.HandshakeContext(handshake)
		cancel()
		if err != nil {
			err = fmt.Errorf("TLS: %w", err)
			if ctx.Err() == nil {
				s.reject(conn.RemoteAddr(), err)
			}
			return err
		}
	}
	return s.runSession(ctx, conn, dialled, introduced)
}

// reject tells of a refused connection, unless there are many.
func (s *Server) reject(remote net.Addr, err error) {
	if s.rejects.Allow() {
		s.cfg.Log.Warn().Stringer("remote", remote).Err(err).Msg("host refused")
		s.cfg.Handler.Rejected(remote, err)
	}
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions >= s.cfg.MaxSessions {
		return false
	}
	s.sessions++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions--
}

// claim makes ss the session of a host. If there is one already that answers, the
// newcomer is refused: a stranger with a host's system-id must not displace it.
// One that does not answer, as after a network failure, makes way.
func (s *Server) claim(ctx context.Context, host string, ss *session) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.mu.Lock()
		old := s.hosts[host]
		if old == nil {
			s.hosts[host] = ss
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		if old.answers(ctx, s.limits.probe) {
			return fmt.Errorf("%w: %q is connected from %s: give each host its own, "+
				`"ovs-vsctl set open_vswitch . external_ids:system-id=NAME"`, errDuplicate, host, old.remote)
		}
		old.end(errReplaced)
		select {
		case <-old.ended: // its HostGone has returned, and it has left s.hosts
		case <-ctx.Done():
		}
	}
}

func (s *Server) unclaim(host string, ss *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts[host] == ss {
		delete(s.hosts, host)
	}
}

// Kick closes the host's session, if there is one. The host may connect again.
func (s *Server) Kick(host string, why error) {
	s.mu.Lock()
	ss := s.hosts[host]
	s.mu.Unlock()
	if ss != nil {
		ss.end(fmt.Errorf("closed by the controller: %w", why))
	}
}

func (s *Server) peerConfig() peerConfig {
	return peerConfig{
		echoInterval: s.cfg.EchoInterval, messageTimeout: s.limits.message, writeTimeout: s.limits.write,
		maxBytes: maxMessageBytes, maxDepth: maxMessageDepth, budget: s.budget,
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
