package ofctrl

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// session is a connection with a switch. Two goroutines work for it: one reads,
// and calls the Handler; one writes. Neither waits for the other.
type session struct {
	srv     *Server
	plan    *plan
	conn    net.Conn
	in      *openflow.Reader
	log     zerolog.Logger
	ctx     context.Context
	end     context.CancelCauseFunc // ends the session, without waiting
	ended   chan struct{}           // closed after the last call of the Handler
	last    lastSession             // before this session
	packets *rate.Limiter           // of packet-ins; for the reader only

	wake  chan struct{} // one slot: there may be something to write
	inbox inbox
	out   outbox
	asked asked
	acked ackTable

	heard atomic.Int64 // when a message was last read, in ns since 1970
	deaf  atomic.Bool  // nothing is read for now
	probe atomic.Pointer[chan struct{}]

	mu sync.Mutex
	sender
	refusals
	checks
}

// Transaction ids below maxXID are given out in turn; those above have a meaning.
const (
	maxXID   = 0xf0000000
	echoXID  = 0xf0000001
	probeXID = 0xf0000002
	askXID   = 0xf1000000 // and the 2^24 that follow
)

// Bounds on packet-ins per second of a switch, and on a burst of them.
const (
	packetRate  = 2000
	packetBurst = 4000
)

func newSession(ctx context.Context, srv *Server, p *plan, h *handshake) *session {
	s := &session{
		srv: srv, plan: p, conn: h.conn, in: h.in,
		log:     srv.cfg.Log.With().Str("switch", fmt.Sprintf("%016x", p.dpid)).Logger(),
		ended:   make(chan struct{}),
		packets: rate.NewLimiter(packetRate, packetBurst),
		wake:    make(chan struct{}, 1),
	}
	s.ctx, s.end = context.WithCancelCause(ctx)
	s.asked = newAsked()
	s.acked.seqs = make(map[*Feed]uint64)
	s.subs = make(map[*Feed]*subscription)
	s.xid = h.xid
	s.holding, s.cause = true, causeConnect
	s.nextAudit = time.Now().Add(jitter(srv.cfg.AuditInterval))
	s.heard.Store(time.Now().UnixNano())
	s.out.wake, s.inbox.wake = s.nudge, s.nudge
	return s
}

// jitter is d, give or take a tenth.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// run keeps the session until it ends.
func (s *session) run() {
	stop := context.AfterFunc(s.ctx, func() { _ = s.conn.Close() })
	defer stop()
	handler := s.srv.cfg.Handler
	s.plan.sessions.Add(1)
	s.srv.metrics.sessions.Inc()
	handler.Connected(s.plan.dpid, s.conn.RemoteAddr())
	var writer sync.WaitGroup
	writer.Go(func() { s.end(s.writeLoop()) })
	s.end(s.readLoop())
	writer.Wait()
	s.close()
	s.srv.metrics.sessions.Dec()
	handler.Disconnected(s.plan.dpid, context.Cause(s.ctx))
	s.srv.stop(s.plan, s.last)
	close(s.ended)
}

// close lets go of what the session holds. It remembers how far the switch was.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leavePlace()
	for _, sub := range s.subs {
		sub.leave()
	}
	seqs, compared := s.acked.close()
	switch {
	case compared:
		settled := !s.holding && len(s.jobs)+len(s.outstanding) == 0
		s.last = lastSession{compared: true, settled: settled, acked: seqs, refused: s.refused}
	case !s.holding:
		s.last = lastSession{} // repairs were sent, who knows how many arrived
	}
}

// nudge has the writer look for work. It never blocks.
func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) setFeeds(feeds []*Feed) { s.inbox.setFeeds(feeds) }

// alive says whether the switch answers an echo request in time.
func (s *session) alive(ctx context.Context, timeout time.Duration) bool {
	answered := make(chan struct{})
	s.probe.Store(&answered)
	msg := openflow.EchoRequest(nil)
	openflow.SetXID(msg, probeXID)
	if s.out.control(msg) != nil {
		return false
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-answered:
		return true
	case <-timer.C:
	case <-s.ended:
	case <-s.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// inbox is what others tell the session. Its lock is the innermost one.
type inbox struct {
	wake func()

	mu      sync.Mutex
	dirty   []*subscription // have changes
	feeds   []*Feed         // the plan, if planned
	planned bool
}

func (b *inbox) changed(sub *subscription) {
	b.mu.Lock()
	b.dirty = append(b.dirty, sub)
	b.mu.Unlock()
	b.wake()
}

func (b *inbox) setFeeds(feeds []*Feed) {
	b.mu.Lock()
	b.feeds, b.planned = feeds, true
	b.mu.Unlock()
	b.wake()
}

func (b *inbox) take() (dirty []*subscription, feeds []*Feed, planned bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dirty, feeds, planned = b.dirty, b.feeds, b.planned
	b.dirty, b.feeds, b.planned = nil, nil, false
	return dirty, feeds, planned
}

// next is the plan that take will return.
func (b *inbox) next() []*Feed {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.feeds
}

// ackTable says up to where the switch has confirmed its feeds.
type ackTable struct {
	mu       sync.Mutex
	seqs     map[*Feed]uint64
	compared bool
	closed   bool
}

func (t *ackTable) get(f *Feed) (uint64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seq, ok := t.seqs[f]
	return seq, ok && t.compared && !t.closed
}

func (t *ackTable) set(f *Feed, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seqs[f] = seq
}

func (t *ackTable) drop(f *Feed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seqs, f)
}

func (t *ackTable) setCompared() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.compared = true
}

func (t *ackTable) all() map[*Feed]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.seqs)
}

// close ends the table, and returns what was in it.
func (t *ackTable) close() (seqs map[*Feed]uint64, compared bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return t.seqs, t.compared
}
