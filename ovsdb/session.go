package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// database is the database of hosts; monitorID names our one monitor in it.
const (
	database  = "Open_vSwitch"
	monitorID = "dovetail"
)

var errIdentityChanged = errors.New("external_ids:system-id was changed")

// session is one connection with a host. Two goroutines work for it: the read
// loop keeps the replica, and run compares it with what is wished and calls the
// Handler. The read loop never waits for run, so that echo requests are answered
// and silence is noticed while a Handler or a transaction takes its time; what
// happens meanwhile is seen at once afterwards, as the replica then is.
type session struct {
	srv    *Server
	log    zerolog.Logger
	remote net.Addr
	local  net.Addr
	peer   *peer
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed after the last call of the Handler

	wake chan struct{} // one slot: the replica or newLinks has changed

	mu sync.Mutex // guards db and newLinks
	db replica
	// newLinks are those of SetLinks that the provisioner has yet to take.
	newLinks *Links

	prov provisioner // used by run only
}

// runSession keeps a session until ctx or the connection ends. It closes conn, and
// calls introduced once the host has said who it is.
func (s *Server) runSession(ctx context.Context, conn net.Conn, dialled string, introduced func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	ss := &session{
		srv: s, log: s.cfg.Log.With().Stringer("remote", conn.RemoteAddr()).Logger(), remote: conn.RemoteAddr(), local: conn.LocalAddr(),
		cancel: cancel, ended: make(chan struct{}), wake: make(chan struct{}, 1),
		db: replica{budget: s.budget},
	}
	if dialled != "" {
		ss.remote = dialledAddr(dialled)
		ss.log = s.cfg.Log.With().Str("remote", dialled).Logger()
	}
	pc := s.peerConfig()
	pc.notify = ss.notify
	ss.peer = newPeer(conn, pc)

	var reading sync.WaitGroup
	reading.Go(func() { cancel(ss.peer.readLoop()) })
	err := ss.serve(ctx, introduced)
	close(ss.ended)
	cancel(err)
	_ = conn.Close()
	reading.Wait()
	ss.db.drop()
	return err
}

// serve learns who the host is, and works for it until ctx ends.
func (ss *session) serve(ctx context.Context, introduced func()) error {
	info, err := ss.meet(ctx)
	if err == nil {
		err = ss.srv.claim(ctx, info.SystemID, ss)
	}
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, errDuplicate) {
			err = context.Cause(ctx)
		}
		if !errors.Is(err, errServerClosed) {
			ss.srv.reject(ss.remote, err)
		}
		return err
	}
	introduced()
	defer ss.srv.unclaim(info.SystemID, ss)
	ss.log = ss.log.With().Str("host", info.SystemID).Logger()
	ss.prov.init(ss, info.SystemID)
	err = ss.prov.run(ctx, info)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if ss.prov.accepted {
		ss.srv.cfg.Handler.HostGone(info.SystemID, err)
	}
	ss.log.Info().Err(err).Msg("host session ended")
	return err
}

// meet asks for the rows that are needed, and reads from them who the host is.
func (ss *session) meet(ctx context.Context) (HostInfo, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, ss.srv.limits.handshake,
		fmt.Errorf("no answer to the monitor request within %s", ss.srv.limits.handshake))
	defer cancel()
	// The first reply is applied on the read loop: updates that follow it
	// must not overtake it.
	if err := ss.peer.call(ctx, "monitor", []any{database, monitorID, monitorRequest}, ss.apply); err != nil {
		if !errors.Is(err, errAnswer) {
			return HostInfo{}, err // the session ended, whatever was being done
		}
		return HostInfo{}, fmt.Errorf("monitoring: %w", err)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	info, _, err := hostInfo(&ss.db)
	info.Remote, info.Local = ss.remote, ss.local
	return info, err
}

// notify handles what the host sends of its own accord, on the read loop.
func (ss *session) notify(method string, params json.RawMessage) error {
	if method != "update" {
		return nil // nothing else was asked for
	}
	var args []json.RawMessage
	if err := json.Unmarshal(params, &args); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if len(args) != 2 || string(args[0]) != `"`+monitorID+`"` {
		return errors.New("update: not of the monitor that was asked for")
	}
	return ss.apply(args[1])
}

func (ss *session) apply(updates json.RawMessage) error {
	ss.mu.Lock()
	err := ss.db.apply(updates)
	ss.mu.Unlock()
	ss.rouse()
	return err
}

// rouse makes the provisioner look again.
func (ss *session) rouse() {
	select {
	case ss.wake <- struct{}{}:
	default:
	}
}

// answers says whether the host answers an echo request within the timeout.
func (ss *session) answers(ctx context.Context, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return ss.peer.call(ctx, "echo", []any{}, nil) == nil
}

// end closes the session because of why.
func (ss *session) end(why error) { ss.cancel(why) }

// dialledAddr is the address of a host as it was dialled, which for a unix socket
// says more than the connection does.
type dialledAddr string

func (dialledAddr) Network() string  { return "ovsdb" }
func (a dialledAddr) String() string { return string(a) }
