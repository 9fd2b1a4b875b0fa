package ofctrl

import (
	"fmt"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// readLoop reads until the session ends. All replies are handled here, one after
// the other: when a barrier reply comes, every error before it was handled.
func (s *session) readLoop() error {
	for {
		m, err := s.in.Next()
		if err != nil {
			return fmt.Errorf("reading from the switch: %w", err)
		}
		s.heard.Store(time.Now().UnixNano())
		if err := s.handle(m); err != nil {
			return err
		}
	}
}

func (s *session) handle(m openflow.Message) error {
	// Open vSwitch has errors that it sends in another version.
	if m.Version != 4 && m.Type != openflow.TypeError {
		return fmt.Errorf("message type %d in OpenFlow version %d after 1.3 was agreed", m.Type, m.Version)
	}
	switch m.Type {
	case openflow.TypeEchoRequest:
		reply := openflow.EchoReply(m.Body)
		openflow.SetXID(reply, m.XID)
		return s.out.control(reply)
	case openflow.TypeEchoReply:
		if m.XID == probeXID {
			if answered := s.probe.Swap(nil); answered != nil {
				close(*answered)
			}
		}
	case openflow.TypeError:
		return s.onError(m)
	case openflow.TypeBarrierReply:
		if s.confirm(m.XID) {
			s.srv.cfg.Handler.Acked(s.plan.dpid)
		}
	case openflow.TypeMultipartReply:
		return s.onMultipart(m)
	case openflow.TypePacketIn:
		return s.onPacketIn(m)
	case openflow.TypeExperimenter:
		if openflow.MonitorResumed(m) {
			s.onForeign()
		}
	}
	return nil
}

func (s *session) onPacketIn(m openflow.Message) error {
	if !s.packets.Allow() {
		s.srv.metrics.dropped.Inc()
		return nil
	}
	pkt, err := openflow.DecodePacketIn(m)
	if err != nil {
		return err
	}
	s.srv.cfg.Handler.PacketIn(s.plan.dpid, pkt)
	return nil
}

func (s *session) onMultipart(m openflow.Message) error {
	part, err := openflow.DecodeMultipart(m)
	if err != nil {
		return err
	}
	if part.IsFlowMonitor() {
		return s.onMonitor(part)
	}
	if m.XID >= askXID {
		return s.asked.onPart(m.XID, part)
	}
	done, err := s.onDump(m.XID, part)
	if done && err == nil {
		err = s.finishCompare()
	}
	return err
}

// onMonitor hears of changes to the flow tables. What exactly changed does not
// matter: a comparison finds out, and is as good for one change as for many.
func (s *session) onMonitor(part openflow.Multipart) error {
	s.mu.Lock()
	known := s.suspect
	s.mu.Unlock()
	if known {
		return nil
	}
	updates, err := openflow.DecodeFlowUpdates(part.Body)
	if err != nil {
		return err
	}
	for _, u := range updates {
		if u.Event != openflow.UpdateAbbrev {
			s.onForeign()
			return nil
		}
	}
	return nil
}

// onForeign has the switch compared soon, because somebody else changed it.
func (s *session) onForeign() {
	s.mu.Lock()
	s.suspect = true
	s.mu.Unlock()
	s.nudge()
}
