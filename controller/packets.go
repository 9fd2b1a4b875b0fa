package controller

import (
	"encoding/binary"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
)

// This file answers packets that switches send up. Each kind is metered by the switch.

func (c *Controller) packetArrived(h *host, pkt openflow.PacketIn) {
	switch pipeline.Reason(binary.BigEndian.Uint32(narrow(pkt, pipeline.RegReason))) {
	case pipeline.ReasonResolve:
		c.resolve(h, pkt)
	case pipeline.ReasonHeard:
		c.heard(h, pkt)
	case pipeline.ReasonEntering:
		c.translateEntering(h, pkt)
	case pipeline.ReasonLeaving:
		c.translateLeaving(h, pkt)
	case pipeline.ReasonStray:
		c.strayArrived(h, pkt)
	case pipeline.ReasonExhausted:
		c.portsExhausted(pkt)
	case pipeline.ReasonAnswer:
		c.instanceAnswered(h, pkt)
	default:
		if frame, actions, ok := pipeline.ICMPError(pkt); ok && c.send(h.spec.Allocated.DatapathID, frame, actions...) {
			c.metrics.icmpErrors.Inc()
		}
	}
}

// translateEntering gives an ICMP error from outside, and what it quotes, the address
// inside.
func (c *Controller) translateEntering(h *host, pkt openflow.PacketIn) {
	f := c.floatTo(c.externalOf(pkt), pkt.Data)
	if f == nil {
		return
	}
	view, _ := c.viewFloat(f)
	for _, t := range view.Targets {
		tr := packet.Translation{From: view.Address, To: t.Inside, Protocol: protocol(t.Protocol), FromPort: t.Port, ToPort: t.EndpointPort}
		if frame, ok := packet.Translate(pkt.Data, tr); ok {
			c.send(h.spec.Allocated.DatapathID, frame, append([]openflow.Action{setRouter(t.Router)}, letIn(view, t)...)...)
			return
		}
	}
}

// letIn lets an ICMP error in. Where sources are limited, it has to be about a connection
// that connection tracking knows from what the endpoint has sent: whoever may not begin
// could send the endpoint anything as the quote of an error.
func letIn(view pipeline.Floating, t pipeline.Target) []openflow.Action {
	if len(view.Sources) == 0 {
		return []openflow.Action{openflow.Resubmit{Table: pipeline.TableArrive}}
	}
	return []openflow.Action{
		openflow.Load{Value: 1, Dst: pipeline.RegFlags, Ofs: pipeline.FlagAnswers, NBits: 1},
		openflow.CT{Zone: uint16(t.At.Zone), Table: pipeline.TableReturn},
	}
}

// floatTo is the floating IP that a packet is for.
func (c *Controller) floatTo(x *external, frame []byte) *floating {
	_, dst := addresses(frame)
	if x == nil || !dst.IsValid() {
		return nil
	}
	for g := range x.gateways {
		if f := g.byAddress[dst]; f != nil {
			return f
		}
	}
	return nil
}

// translateLeaving gives an ICMP error of an endpoint's, and what it quotes, the
// floating IP.
func (c *Controller) translateLeaving(h *host, pkt openflow.PacketIn) {
	vni := binary.BigEndian.Uint32(narrow(pkt, pipeline.RegNetwork))
	e := c.model.exits[vni]
	src, _ := addresses(pkt.Data)
	if e.gw == nil || !src.IsValid() {
		return
	}
	for f := range e.gw.inside[insideAt{vni, src}] {
		view, _ := c.viewFloat(f)
		for _, t := range view.Targets {
			if t.Router != e.router.spec.Allocated.ID || t.Inside != src {
				continue
			}
			tr := packet.Translation{From: t.Inside, To: view.Address, Protocol: protocol(t.Protocol), FromPort: t.EndpointPort, ToPort: t.Port}
			if frame, ok := packet.Translate(pkt.Data, tr); ok {
				c.send(h.spec.Allocated.DatapathID, frame, number(f.gw.ext), openflow.SetField{FieldValue: openflow.EthSrc.MAC(view.MAC)},
					openflow.Resubmit{Table: pipeline.TableNextHop})
				return
			}
		}
	}
	// It is about a connection that was translated with state, then.
	at := e.router.spec.Attachment(e.gw.key.Name)
	c.send(h.spec.Allocated.DatapathID, pkt.Data, openflow.SetField{FieldValue: pipeline.RegNetwork.Uint(uint64(at.VNI))},
		openflow.CT{Zone: uint16(at.Zone), Table: pipeline.TableTracked, NAT: openflow.NAT{Kind: openflow.NATKnown}})
}

func protocol(name string) uint8 {
	switch name {
	case "tcp":
		return 6
	case "udp":
		return 17
	}
	return 0
}

// addresses are the source and the destination of an IP packet; the zero Addr if it is
// none.
func addresses(frame []byte) (src, dst netip.Addr) {
	if len(frame) < 34 {
		return src, dst
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		return netip.AddrFrom4([4]byte(frame[26:])), netip.AddrFrom4([4]byte(frame[30:]))
	case 0x86dd:
		if len(frame) >= 54 {
			return netip.AddrFrom16([16]byte(frame[22:])), netip.AddrFrom16([16]byte(frame[38:]))
		}
	}
	return src, dst
}

func setRouter(id uint32) openflow.Action {
	return openflow.SetField{FieldValue: pipeline.RegRouter.Uint(uint64(id))}
}

// portsExhausted notes that a router has no port left to translate to.
func (c *Controller) portsExhausted(pkt openflow.PacketIn) {
	e := c.model.exits[binary.BigEndian.Uint32(narrow(pkt, pipeline.RegNetwork))]
	if e.router != nil && begins(pkt.Data) {
		e.router.exhausted, e.router.exhaustedBy = c.now(), e.gw.key.Name
		c.metrics.exhausted.Inc()
	}
}

// begins says whether a packet may begin a connection. Connection tracking calls
// invalid what does not fit, too.
func begins(frame []byte) bool {
	if len(frame) < 34 {
		return false
	}
	l4 := 14 + 4*int(frame[14]&0xf)
	switch frame[23] {
	case 1: // ICMP: an echo request
		return len(frame) > l4 && frame[l4] == 8
	case 6: // TCP: SYN alone
		return len(frame) > l4+13 && frame[l4+13]&0x12 == 0x02
	case 17:
		return true
	}
	return false // it has no ports
}

// exhaustedFor is how long a router's status shows that it had no port left.
const exhaustedFor = 60 // seconds

func (c *Controller) routerWarnings(r *router) []string {
	if r == nil || r.exhausted.IsZero() || c.now().Sub(r.exhausted).Seconds() > exhaustedFor {
		return nil
	}
	return []string{"connections by gateway " + r.exhaustedBy + " were dropped, since no port was left to translate them to; the last at " +
		r.exhausted.UTC().Format("15:04:05Z07:00") + ": give the router more addresses (spec.gateways[].addresses)"}
}
