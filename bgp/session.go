package bgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// session is one connection to a peer. All but the reader runs in one goroutine.
type session struct {
	p    *peer
	conn *net.TCPConn
	in   *reader

	// What the two have agreed on.
	families []family
	offer    offer
	hold     time.Duration // 0 if the peer wants no keepalives

	has     map[path]netip.Addr // what the peer has been told
	refresh atomic.Bool         // the peer wants all of it again
	reading chan error          // of the reader, once
}

func newSession(p *peer, conn *net.TCPConn) *session {
	return &session{p: p, conn: conn, in: newReader(conn), hold: p.s.limits.hold}
}

// open sends OPEN and waits for the peer's, and for the KEEPALIVE that accepts ours.
func (s *session) open(ctx context.Context) error {
	if err := s.setDeadline(ctx, s.conn.SetDeadline, s.p.s.limits.open); err != nil {
		return err
	}
	if err := s.write(openMessage(s.p.cfg, s.p.s.limits, s.p.restarted), nil); err != nil {
		return err
	}
	body, err := s.in.expect(ctx, bgp.BGP_MSG_OPEN)
	if err != nil {
		return err
	}
	if s.offer, err = parseOpen(body, s.p.cfg); err != nil {
		return err
	}
	s.families = s.offer.families
	s.hold = min(s.hold, s.offer.hold)
	if err := s.write(bgp.NewBGPKeepAliveMessage(), nil); err != nil {
		return err
	}
	_, err = s.in.expect(ctx, bgp.BGP_MSG_KEEPALIVE)
	return err
}

// talk sends all routes, End-of-RIB, and then what changes, until ctx ends or the
// session breaks.
func (s *session) talk(ctx context.Context) error {
	s.startReading(ctx)
	if err := s.sync(ctx); err != nil {
		return err
	}
	if err := s.endOfRIB(ctx); err != nil {
		return err
	}
	s.p.restarted = false
	every := s.hold / 3
	if every == 0 {
		every = s.p.s.limits.hold / 3
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err = <-s.reading:
			s.reading <- err
		case <-s.p.news:
			err = s.sync(ctx)
		case <-ticker.C:
			err = s.tick(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) startReading(ctx context.Context) {
	s.reading = make(chan error, 1)
	go func() {
		s.reading <- s.in.skim(ctx, func() error {
			return s.setDeadline(ctx, s.conn.SetReadDeadline, s.hold)
		}, func() { s.refresh.Store(true) })
	}()
}

// sync sends what the peer lacks.
func (s *session) sync(ctx context.Context) error {
	want := s.p.s.current().wanted(s.families)
	announce, withdraw := differences(s.has, want)
	for msg := range updates(announce, withdraw, want, s.attributes) {
		if err := s.send(ctx, msg); err != nil {
			return err
		}
	}
	s.has = want
	s.p.announced(prefixes(want))
	return nil
}

func (s *session) endOfRIB(ctx context.Context) error {
	for _, f := range s.families {
		if err := s.send(ctx, bgp.NewEndOfRib(f.Family)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) tick(ctx context.Context) error {
	if s.refresh.Swap(false) {
		s.has = nil
		if err := s.sync(ctx); err != nil {
			return err
		}
	}
	if s.hold == 0 {
		return nil
	}
	return s.send(ctx, bgp.NewBGPKeepAliveMessage())
}

// send writes a message of an established session, which the peer must take within
// the hold time.
func (s *session) send(ctx context.Context, msg *bgp.BGPMessage) error {
	if err := s.setDeadline(ctx, s.conn.SetWriteDeadline, max(s.hold, s.p.s.limits.hold)); err != nil {
		return err
	}
	return s.write(msg, &bgp.MarshallingOption{AddPath: addPathModes(s.families)})
}

func (s *session) write(msg *bgp.BGPMessage, option *bgp.MarshallingOption) error {
	var options []*bgp.MarshallingOption
	if option != nil {
		options = append(options, option)
	}
	b, err := msg.Serialize(options...)
	if err != nil {
		return fmt.Errorf("writing a message of type %d: %w", msg.Header.Type, err)
	}
	_, err = s.conn.Write(b)
	return err
}

// setDeadline is a deadline that does not undo the one which is set when ctx ends.
func (s *session) setDeadline(ctx context.Context, set func(time.Time) error, in time.Duration) error {
	at := time.Time{}
	if in > 0 {
		at = time.Now().Add(in)
	}
	if err := set(at); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return set(time.Now().Add(s.p.s.limits.linger))
	}
	return nil
}

// finish ends the connection for a reason, and returns the better one that the peer
// may have given. It says to the peer what it did wrong, or that it is removed. Where
// we end, nothing is said: the peer keeps the routes.
func (s *session) finish(err error, stop context.CancelFunc) error {
	defer s.conn.Close()
	msg := farewell(err, s.offer.notification)
	if msg != nil {
		_ = s.conn.SetDeadline(time.Now().Add(s.p.s.limits.linger))
		_ = s.write(msg, nil)
		_ = s.conn.CloseWrite()
	}
	stop()
	if errors.Is(err, errClosed) || errors.Is(err, errChanged) {
		_ = s.conn.Close()
	}
	if s.reading != nil {
		var said *peerNotification
		if e := <-s.reading; errors.As(e, &said) {
			err = e
		}
	}
	if msg != nil {
		// What is still unread when a connection is closed makes the kernel reset
		// it, and the peer might lose what it was told.
		_ = s.conn.SetReadDeadline(time.Now().Add(s.p.s.limits.linger))
		_, _ = io.Copy(io.Discard, s.conn)
	}
	return err
}

// farewell is the NOTIFICATION for an error, nil if there is none.
func farewell(err error, hardReset bool) *bgp.BGPMessage {
	var wrong *bgp.MessageError
	var timeout net.Error
	switch {
	case errors.As(err, &wrong):
		return bgp.NewBGPNotificationMessage(wrong.TypeCode, wrong.SubTypeCode, wrong.Data)
	case errors.Is(err, errRemoved):
		code, subcode := uint8(bgp.BGP_ERROR_CEASE), uint8(bgp.BGP_ERROR_SUB_PEER_DECONFIGURED)
		if hardReset {
			// Only this makes a peer with RFC 8538 drop the routes. The data is what
			// would have been said without.
			return bgp.NewBGPNotificationMessage(code, bgp.BGP_ERROR_SUB_HARD_RESET, []byte{code, subcode})
		}
		return bgp.NewBGPNotificationMessage(code, subcode, nil)
	case errors.Is(err, errClosed), errors.Is(err, errChanged):
		return nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return bgp.NewBGPNotificationMessage(bgp.BGP_ERROR_HOLD_TIMER_EXPIRED, 0, nil)
	}
	return nil
}
