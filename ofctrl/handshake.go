package ofctrl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// serveConn keeps a connection until it or ctx ends. It calls introduced once the
// switch has said who it is, or cannot.
func (s *Server) serveConn(ctx context.Context, conn net.Conn, introduced func()) {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	h := handshake{conn: conn, in: openflow.NewReader(conn)}
	p, err := s.meet(ctx, &h)
	introduced()
	if err != nil {
		if ctx.Err() == nil {
			s.reject(conn.RemoteAddr(), err)
		}
		return
	}
	ss := newSession(ctx, s, p, &h)
	if !s.start(p, ss) {
		ss.end(ErrForgotten)
		s.reject(conn.RemoteAddr(), fmt.Errorf("switch %#x: %w", p.dpid, ErrUnknownSwitch))
		return
	}
	ss.run()
}

// meet learns which switch it is, and makes us its master. Then the plan is
// claimed, and start must be called.
func (s *Server) meet(ctx context.Context, h *handshake) (*plan, error) {
	if err := h.conn.SetDeadline(time.Now().Add(s.cfg.limits.handshake)); err != nil {
		return nil, err
	}
	features, err := h.hello()
	if err != nil {
		return nil, fmt.Errorf("OpenFlow handshake: %w", err)
	}
	p, err := s.claim(ctx, features.DatapathID)
	if err != nil {
		return nil, fmt.Errorf("switch %#x: %w", features.DatapathID, err)
	}
	if err = h.master(s.cfg.GenerationID); err == nil {
		err = h.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		s.mu.Lock()
		p.claiming = false
		s.mu.Unlock()
		return nil, fmt.Errorf("switch %#x: %w", features.DatapathID, err)
	}
	return p, nil
}

// claim reserves a switch's plan for a newcomer. A session that the switch has
// already is asked whether it still lives: if so the newcomer is an impostor or
// a misconfigured switch.
func (s *Server) claim(ctx context.Context, dpid uint64) (*plan, error) {
	s.mu.Lock()
	p := s.plans[dpid]
	if p == nil || p.claiming {
		s.mu.Unlock()
		if p == nil {
			return nil, ErrUnknownSwitch
		}
		return nil, ErrDuplicate
	}
	p.claiming = true
	old := p.session
	s.mu.Unlock()
	if old == nil {
		return p, nil
	}
	alive := old.alive(ctx, s.cfg.limits.probe)
	if !alive {
		old.end(ErrReplaced)
		select {
		case <-old.ended:
			return p, nil
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	p.claiming = false
	s.mu.Unlock()
	if !alive {
		return nil, ctx.Err()
	}
	return nil, ErrDuplicate
}

// start makes ss the session of a claimed plan, unless that was forgotten.
func (s *Server) start(p *plan, ss *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.claiming = false
	if s.plans[p.dpid] != p {
		return false
	}
	p.session = ss
	ss.last = p.last
	ss.setFeeds(p.feeds)
	return true
}

// stop undoes start. last is what to remember for the next session.
func (s *Server) stop(p *plan, last lastSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.session = nil
	p.last = last
}

// handshake is a connection before it is a session.
type handshake struct {
	conn net.Conn
	in   *openflow.Reader
	xid  uint32
}

// maxChatter bounds what else a switch may say before it answers.
const maxChatter = 1000

// hello agrees on OpenFlow 1.3, and asks who the switch is.
func (h *handshake) hello() (openflow.Features, error) {
	if err := h.send(openflow.Hello()); err != nil {
		return openflow.Features{}, err
	}
	m, err := h.in.Next()
	if err != nil {
		return openflow.Features{}, fmt.Errorf("waiting for hello: %w", err)
	}
	if m.Type != openflow.TypeHello {
		return openflow.Features{}, fmt.Errorf("not OpenFlow: message type %d instead of hello", m.Type)
	}
	if !openflow.NegotiateVersion(m) {
		return openflow.Features{}, fmt.Errorf("the switch does not offer OpenFlow 1.3, its version is %d: allow it with ovs-vsctl set bridge BRIDGE protocols=OpenFlow13", m.Version)
	}
	if err := h.send(openflow.FeaturesRequest()); err != nil {
		return openflow.Features{}, err
	}
	if m, err = h.answer(openflow.TypeFeaturesReply); err != nil {
		return openflow.Features{}, fmt.Errorf("asking for features: %w", err)
	}
	features, err := openflow.DecodeFeaturesReply(m)
	if err == nil && features.AuxiliaryID != 0 {
		err = fmt.Errorf("auxiliary connection %d is of no use", features.AuxiliaryID)
	}
	return features, err
}

// master asks for the role of master. A switch that knows of a newer controller
// refuses (OpenFlow 1.3.5, 6.3.5).
func (h *handshake) master(generationID uint64) error {
	if err := h.send(openflow.RoleRequest(openflow.RoleMaster, generationID)); err != nil {
		return err
	}
	_, err := h.answer(openflow.TypeRoleReply)
	var refused *openflow.ErrorMsg
	if errors.As(err, &refused) && refused.Type == 1 {
		err = nil // OFPET_BAD_REQUEST: it has no roles
	}
	if err != nil {
		return fmt.Errorf("asking for the role of master: %w", err)
	}
	if err := h.send(openflow.SetConfig(0xffff)); err != nil {
		return err
	}
	return h.send(setAsync())
}

// setAsync asks for packet-ins only: nobody here listens to port-status and
// flow-removed messages (OpenFlow 1.3.5, A.3.10).
func setAsync() []byte {
	const allPacketIns = 7
	m := make([]byte, 32)
	m[0], m[1], m[3], m[11] = 4, byte(openflow.TypeSetAsync), 32, allPacketIns
	return m
}

// answer reads up to the answer to the last request.
func (h *handshake) answer(t openflow.Type) (openflow.Message, error) {
	for range maxChatter {
		m, err := h.in.Next()
		if err != nil {
			return m, err
		}
		switch {
		case m.Type == t && m.XID == h.xid:
			return m, nil
		case m.Type == openflow.TypeError:
			refused, err := openflow.DecodeError(m)
			if err != nil {
				return m, err
			}
			if refused.XID == h.xid {
				return m, refused
			}
		case m.Type == openflow.TypeEchoRequest:
			reply := openflow.EchoReply(m.Body)
			openflow.SetXID(reply, m.XID)
			if err := h.write(reply); err != nil {
				return m, err
			}
		}
	}
	return openflow.Message{}, fmt.Errorf("no answer among %d messages", maxChatter)
}

func (h *handshake) send(msg []byte) error {
	h.xid++
	openflow.SetXID(msg, h.xid)
	return h.write(msg)
}

func (h *handshake) write(msg []byte) error {
	_, err := h.conn.Write(msg)
	return err
}
