package bgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

var (
	errRemoved = errors.New("the peer is no longer configured")
	errChanged = errors.New("the peer is configured differently")
)

// sessionConfig is all that a session depends on; if it is the same, so is the session.
type sessionConfig struct {
	asn      uint32
	routerID netip.Addr
	peer     Peer // with its port
}

// peer keeps a session with one router until it is ended.
type peer struct {
	s    *Speaker
	cfg  sessionConfig
	end  context.CancelCauseFunc
	done chan struct{}
	news chan struct{} // holds one token if the rib may have changed

	// restarted is cleared once the peer has got everything in one session. Until
	// then it may wait for us (RFC 4724 section 4.1).
	restarted bool

	mu    sync.Mutex
	state PeerState
}

// startPeer dials once before, the session that this one follows, has ended. s.mu is held.
func (s *Speaker) startPeer(cfg sessionConfig, before <-chan struct{}) *peer {
	ctx, cancel := context.WithCancelCause(context.Background())
	p := &peer{
		s: s, cfg: cfg, end: cancel, done: make(chan struct{}), news: make(chan struct{}, 1),
		restarted: true, state: PeerState{Address: cfg.peer.Address},
	}
	s.running.Go(func() {
		defer close(p.done)
		defer cancel(nil)
		if before != nil {
			<-before
		}
		p.run(ctx)
	})
	return p
}

func (s *Speaker) current() *rib {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rib
}

func (p *peer) wake() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *peer) run(ctx context.Context) {
	select {
	case <-p.s.known:
	case <-ctx.Done():
		return
	}
	retry := p.s.limits.retryMin
	for ctx.Err() == nil {
		up, err := p.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if up {
			retry = p.s.limits.retryMin
		}
		p.failed(err, up)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
		retry = min(2*retry, p.s.limits.retryMax)
	}
}

// session dials and talks until something breaks; up says whether it was established.
func (p *peer) session(ctx context.Context) (up bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	conn, err := p.dial(ctx)
	if err != nil {
		return false, fmt.Errorf("dialling: %w", err)
	}
	// Whatever is being read or written then ends soon.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(p.s.limits.linger)) })()
	s := newSession(p, conn)
	if err = s.open(ctx); err == nil {
		p.established()
		defer p.down()
		up = true
		err = s.talk(ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return up, s.finish(err, stop)
}

func (p *peer) established() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Established = time.Now()
	p.s.log.Info().Stringer("peer", p.cfg.peer.Address).Uint32("asn", p.cfg.peer.ASN).Msg("BGP session established")
}

func (p *peer) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Established, p.state.Prefixes = time.Time{}, 0
}

// failed keeps the reason and logs it if it is news.
func (p *peer) failed(err error, wasUp bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wasUp || p.state.LastError != err.Error() {
		p.s.log.Warn().Stringer("peer", p.cfg.peer.Address).Err(err).Msg("no BGP session")
	}
	p.state.LastError = err.Error()
}

func (p *peer) announced(prefixes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Prefixes = prefixes
}

func (p *peer) stateNow() PeerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}
