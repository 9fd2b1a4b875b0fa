package ofctrl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/dovetail-sdn/dovetail/internal/strangers"
	"github.com/dovetail-sdn/dovetail/openflow"
)

// Server accepts switches. Its methods are safe for concurrent use.
type Server struct {
	cfg       Config
	metrics   *metrics
	strangers *strangers.Hall
	// audits and dumps have a place for each audit and each other comparison at
	// the same time, comparing one for each that this computer works on.
	audits, dumps, comparing chan struct{}
	rejects                  *rate.Limiter

	mu    sync.RWMutex
	plans map[uint64]*plan
}

// plan is a switch that the server knows.
type plan struct {
	dpid uint64
	name string
	switchCounters

	// Server.mu guards the rest.
	feeds    []*Feed
	session  *session
	claiming bool // a connection is about to become the session
	last     lastSession
}

// lastSession is what is known of a switch from its last session.
type lastSession struct {
	compared bool // it was as planned at least once
	settled  bool // it had confirmed all that was sent
	acked    map[*Feed]uint64
	refused  map[openflow.ID]uint64 // with the Sum that was refused
}

// Bounds on audits and other comparisons at the same time: what a switch has told
// is kept until it has told all, and after a restart a thousand switches have
// something to tell.
const (
	maxAudits = 4
	maxDumps  = 64
)

// NewServer makes a server that knows no switch yet.
func NewServer(cfg Config) *Server {
	cfg.setDefaults()
	return &Server{
		cfg:       cfg,
		metrics:   newMetrics(cfg.Metrics),
		strangers: strangers.NewHall(cfg.limits.strangers),
		audits:    make(chan struct{}, maxAudits),
		dumps:     make(chan struct{}, maxDumps),
		comparing: make(chan struct{}, runtime.GOMAXPROCS(0)),
		rejects:   rate.NewLimiter(10, 100),
		plans:     make(map[uint64]*plan),
	}
}

// Serve accepts connections (TLS or TCP, as ln gives them) until ctx ends, then
// closes every session and waits for their goroutines. Switches keep all that
// they have. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errClosed)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	defer func() { _ = ln.Close() }()
	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accepting OpenFlow connections: %w", err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Log.Error().Err(err).Msg("accepting an OpenFlow connection")
			wait(ctx, pause) // too many open files, mostly: it passes
			continue
		}
		pause = 0
		introduced, ok := s.strangers.Enter(conn)
		if !ok {
			s.reject(conn.RemoteAddr(), fmt.Errorf("more than %d connections have not yet said who they are", s.cfg.limits.strangers))
			_ = conn.Close()
			continue
		}
		conns.Go(func() { s.serveConn(ctx, conn, introduced) })
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// reject tells of a refused connection, unless there are many.
func (s *Server) reject(remote net.Addr, err error) {
	s.metrics.rejected.Inc()
	if s.rejects.Allow() {
		s.cfg.Log.Warn().Stringer("remote", remote).Err(err).Msg("OpenFlow connection refused")
		s.cfg.Handler.Rejected(remote, err)
	}
}

// SetPlan declares a switch and the feeds that it follows; it replaces the plan
// that the switch had. Entries of a feed that it no longer follows are removed
// from the switch. A switch without a plan is refused.
func (s *Server) SetPlan(dpid uint64, name string, feeds []*Feed) {
	feeds = slices.Clone(feeds)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plans[dpid]
	if p == nil {
		p = &plan{dpid: dpid}
		s.plans[dpid] = p
	}
	p.name, p.feeds = name, feeds
	if p.session != nil {
		p.session.setFeeds(feeds)
	}
}

// Forget drops a switch's plan and closes its session, without waiting for it.
// The switch keeps what it has.
func (s *Server) Forget(dpid uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plans[dpid]; p != nil {
		delete(s.plans, dpid)
		if p.session != nil {
			p.session.end(ErrForgotten)
		}
	}
}

// Acked returns the sequence number up to which the switch has confirmed the
// feed. ok is false while the switch is away, not yet compared, or not a follower.
func (s *Server) Acked(dpid uint64, f *Feed) (seq uint64, ok bool) {
	if ss := s.session(dpid); ss != nil {
		return ss.acked.get(f)
	}
	return 0, false
}

// PacketOut hands a packet to a switch. It does not block: when the switch's
// queue of packets is full (ErrBusy), or it is away (ErrNotConnected), it fails.
func (s *Server) PacketOut(dpid uint64, inPort uint32, actions []openflow.Action, data []byte) error {
	ss := s.session(dpid)
	if ss == nil {
		return fmt.Errorf("packet-out to switch %#x: %w", dpid, ErrNotConnected)
	}
	msg, err := openflow.PacketOut(inPort, actions, data)
	if err == nil {
		err = ss.out.packet(msg)
	}
	if err != nil {
		return fmt.Errorf("packet-out to switch %#x: %w", dpid, err)
	}
	return nil
}

// FlowStats asks a switch for flows and what they have counted. Flows that no packet has
// matched are left out. It waits for the answer, and for its turn if others ask much of
// the switch, until ctx ends. It fails at once for a switch that is away
// (ErrNotConnected).
func (s *Server) FlowStats(ctx context.Context, dpid uint64, q openflow.FlowQuery) ([]openflow.FlowStat, error) {
	err := ErrNotConnected
	if ss := s.session(dpid); ss != nil {
		var stats []openflow.FlowStat
		if stats, err = ss.ask(ctx, q); err == nil {
			return stats, nil
		}
	}
	return nil, fmt.Errorf("flows of table %d of switch %#x: %w", q.Table, dpid, err)
}

// Stats counts what was done to a switch; zero for one that has no plan.
func (s *Server) Stats(dpid uint64) SwitchStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.plans[dpid]
	if p == nil {
		return SwitchStats{}
	}
	st := p.stats()
	st.Connected = p.session != nil
	return st
}

func (s *Server) session(dpid uint64) *session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.plans[dpid]; p != nil {
		return p.session
	}
	return nil
}
