package sim

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Traffic counts what a switch was sent. Its fields only grow.
type Traffic struct {
	Sessions, FlowMods uint64
	Bytes              uint64 // of all messages but probes
}

type traffic struct{ sessions, flowMods, bytes atomic.Uint64 }

// headerLen is the length of an OpenFlow header.
const headerLen = 8

// runSwitch keeps an OpenFlow session with the controller at target, until ctx
// ends.
func (h *Host) runSwitch(ctx context.Context, target string, dpid uint64, t *tables) {
	for ctx.Err() == nil {
		h.session(ctx, target, dpid, t)
		pause(ctx, h.backoff())
	}
}

func (h *Host) session(ctx context.Context, target string, dpid uint64, t *tables) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	h.openFlow.set(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	h.traffic.sessions.Add(1)
	s := &session{
		host: h, features: openflow.Features{DatapathID: dpid, Tables: 254}, tables: t, in: openflow.NewReader(conn),
		out: bufio.NewWriterSize(conn, 32<<10), bundles: make(map[uint32][]openflow.Message),
	}
	s.reply(0, openflow.Hello())
	s.run()
}

// session is one connection of a switch with the controller.
type session struct {
	host     *Host
	features openflow.Features
	tables   *tables
	in       *openflow.Reader
	out      *bufio.Writer
	bundles  map[uint32][]openflow.Message
}

func (s *session) run() {
	for {
		if s.in.Buffered() == 0 && s.out.Flush() != nil {
			return
		}
		m, err := s.in.Next()
		if err != nil {
			return
		}
		if m.Type != openflow.TypeEchoRequest && m.Type != openflow.TypeEchoReply {
			s.host.traffic.bytes.Add(headerLen + uint64(len(m.Body)))
		}
		s.host.stall()
		s.handle(m)
	}
}

func (s *session) reply(xid uint32, msg []byte) {
	openflow.SetXID(msg, xid)
	_, _ = s.out.Write(msg) // Flush says that it failed
}

func (s *session) refuse(xid uint32, e ofError) {
	msg := openflow.ErrorMsg{Type: e.typ, Code: e.code}
	s.reply(xid, msg.Message())
}

func (s *session) handle(m openflow.Message) {
	if answer := s.features.Answer(m); answer != nil {
		_, _ = s.out.Write(answer) // Flush says that it failed
		return
	}
	switch m.Type {
	case openflow.TypeMultipartRequest:
		s.multipart(m)
	case openflow.TypeExperimenter:
		s.experimenter(m)
	case openflow.TypeFlowMod, openflow.TypeGroupMod, openflow.TypeMeterMod:
		s.host.mu.Lock()
		_, refused := s.apply(m)
		s.host.mu.Unlock()
		if refused != (ofError{}) {
			s.refuse(m.XID, refused)
		}
	}
}

// apply needs Host.mu.
func (s *session) apply(m openflow.Message) (undo func(), refused ofError) {
	s.host.traffic.flowMods.Add(1)
	return s.tables.apply(m)
}

// experimenter handles bundles, as Open vSwitch 3.1 has them: meters are refused.
func (s *session) experimenter(m openflow.Message) {
	if id, _, inner, ok := openflow.DecodeBundleAdd(m); ok {
		if inner.Type == openflow.TypeMeterMod {
			s.refuse(m.XID, errUnsupported)
			return
		}
		inner.Body = bytes.Clone(inner.Body)
		s.bundles[id] = append(s.bundles[id], inner)
		return
	}
	c, ok := openflow.DecodeBundleControl(m)
	if !ok {
		return
	}
	switch c.Type {
	case openflow.BundleOpenRequest:
		c.Type = openflow.BundleOpenReply
	case openflow.BundleCommitRequest:
		if !s.commit(c.ID) {
			s.refuse(m.XID, errBundleFailed)
			return
		}
		c.Type = openflow.BundleCommitReply
	case openflow.BundleDiscardRequest:
		delete(s.bundles, c.ID)
		c.Type = openflow.BundleDiscardReply
	}
	s.reply(m.XID, c.Message())
}

// commit applies all of a bundle or nothing.
func (s *session) commit(id uint32) bool {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	inner := s.bundles[id]
	delete(s.bundles, id)
	var undo []func()
	for _, m := range inner {
		u, refused := s.apply(m)
		if refused == (ofError{}) {
			undo = append(undo, u)
			continue
		}
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
		s.refuse(m.XID, refused)
		return false
	}
	return true
}

// maxPart is the most that a part of a multipart reply carries.
const maxPart = 48 << 10

func (s *session) multipart(m openflow.Message) {
	req, err := openflow.DecodeMultipart(m)
	if err != nil {
		s.refuse(m.XID, errBadRequest)
		return
	}
	var part []byte
	room := func(n int) {
		if len(part)+n > maxPart {
			s.reply(m.XID, openflow.MultipartReply(req.Type, true, part))
			part = part[:0]
		}
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	switch {
	case req.Type == openflow.MultipartFlow:
		query, err := openflow.DecodeFlowQuery(req.Body)
		if err != nil {
			s.refuse(m.XID, errBadRequest)
			return
		}
		for _, f := range s.tables.flows {
			if !query.Selects(f.id) {
				continue
			}
			room(64 + len(f.match) + len(f.instructions))
			part = openflow.AppendFlowStat(part, openflow.FlowStat{ID: f.id, Match: f.match, Instructions: f.instructions})
		}
	case req.Type == openflow.MultipartGroupDesc, req.Type == openflow.MultipartMeterConfig:
		for id, o := range s.tables.others {
			if (id.Kind == openflow.EntryGroup) == (req.Type == openflow.MultipartGroupDesc) {
				room(16 + len(o.Body))
				part = o.AppendDesc(part)
			}
		}
	case req.IsFlowMonitor():
		// Nobody but the controller changes a simulated switch.
		part = m.Body[8:16]
	default:
		s.refuse(m.XID, errUnsupported)
		return
	}
	s.reply(m.XID, openflow.MultipartReply(req.Type, false, part))
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// openFlowTarget is HOST:PORT of a Controller row's target.
func openFlowTarget(target string) (string, error) {
	kind, at, _ := bytes.Cut([]byte(target), []byte(":"))
	if string(kind) != "tcp" {
		return "", fmt.Errorf("controller %q: only tcp is simulated", target)
	}
	return string(at), nil
}
