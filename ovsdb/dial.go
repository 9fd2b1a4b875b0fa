package ovsdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// target is where a host's OVSDB server listens, as ovsdb(7) writes it.
type target struct {
	text    string
	network string // "tcp" or "unix"
	address string
	tls     bool
	name    string // to verify the certificate by
}

func parseTarget(s string) (target, error) {
	method, rest, _ := strings.Cut(s, ":")
	switch method {
	case "unix":
		if rest == "" {
			return target{}, fmt.Errorf("OVSDB target %q: write unix:PATH", s)
		}
		return target{text: s, network: "unix", address: rest}, nil
	case "tcp", "ssl":
		host, port, err := net.SplitHostPort(rest)
		if err != nil || host == "" || port == "" {
			return target{}, fmt.Errorf("OVSDB target %q: write %s:ADDRESS:PORT, an IPv6 address in brackets", s, method)
		}
		return target{text: s, network: "tcp", address: rest, tls: method == "ssl", name: host}, nil
	}
	return target{}, fmt.Errorf("OVSDB target %q: write tcp:ADDRESS:PORT, ssl:ADDRESS:PORT or unix:PATH", s)
}

// Dial keeps a session with a host that listens at "tcp:ADDRESS:PORT",
// "ssl:ADDRESS:PORT" or "unix:PATH" until ctx ends, reconnecting with back-off.
// It then returns nil. The only errors are a target that cannot be parsed and
// "ssl:" without Config.TLS; they come at once.
func (s *Server) Dial(ctx context.Context, address string) error {
	t, err := parseTarget(address)
	if err != nil {
		return err
	}
	if t.tls && s.cfg.TLS == nil {
		return fmt.Errorf("OVSDB target %q: no TLS configuration: give certificate, key and CA", address)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wait := s.limits.redialMin
	last := ""
	for ctx.Err() == nil {
		start := time.Now()
		conn, err := s.connect(ctx, t)
		if err == nil {
			err = s.handle(ctx, conn, t.text)
		}
		if ctx.Err() != nil {
			break
		}
		// Once per kind of failure is enough for a log.
		if err != nil && err.Error() != last {
			last = err.Error()
			s.cfg.Log.Warn().Err(err).Str("target", t.text).Msg("no OVSDB session")
		}
		if time.Since(start) > s.limits.redialMax {
			wait = s.limits.redialMin // it was a session, not an attempt
		}
		if errors.Is(err, errDuplicate) {
			wait = s.limits.redialMax
		}
		// Jitter keeps a thousand hosts from being dialled in step.
		sleep(ctx, wait/2+rand.N(wait/2+1))
		wait = min(2*wait, s.limits.redialMax)
	}
	return nil
}

func (s *Server) connect(ctx context.Context, t target) (net.Conn, error) {
	d := net.Dialer{Timeout: s.limits.handshake}
	conn, err := d.DialContext(ctx, t.network, t.address)
	if err != nil {
		return nil, err
	}
	if !t.tls {
		return conn, nil
	}
	cfg := s.cfg.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = t.name
	}
	return tls.Client(conn, cfg), nil
}
