package pipeline

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file asks instances of service functions whether they work: the frames, and what
// answers them. The frames go straight out of the instance's port.
//
// A routed or rewriting function is asked at each of its ports, by its router: from the
// gateway's address in the port's subnet and from the router's own MAC, so that it sees
// what it sees every day, can answer without a route, and learns from ARP nothing that is
// not true. An ARP probe from 0.0.0.0 (RFC 5227), or a solicitation from ::, would not do:
// a function that is just starting would find its address taken, and give it up. The
// router itself never asks anything, so what answers its address is ours. An answer is
// for the router's MAC, which the function finds out as always; for that its network has
// to be joined to a router. A function with two ports in one subnet may answer at the
// other one.
//
// A transparent function is asked through it, in both directions: what goes in at one
// port has to come out at the other. The two directions have source MACs of ours, one
// each, so that a bridge finds each of them on one side only. An ARP request asks for
// 192.0.0.8, the dummy address (RFC 7600), which is nobody's, from 0.0.0.0: nobody
// answers, and nobody learns anything. An echo request has the addresses of the two
// endpoints, of which the function itself uses neither: they are no tenant's other
// address, and the user knows them, and can let them through a firewall.
//
// Of several addresses of an endpoint the first IPv4 one is used, and IPv6 if there is none.

// dummyAddress is asked for through transparent functions.
var dummyAddress = netip.MustParseAddr("192.0.0.8")

// tcpPorts are the ports from which connections are opened: 4096 from 61440 on.
const (
	tcpPorts     = 0xf000
	tcpPortsMask = 0xf000
)

// Token tells the answer to one question from those to others.
type Token struct {
	ID, Seq uint16
	Number  uint32 // of the first byte of a TCP connection
}

// port is a TCP port for the question; the next questions have others, since a function
// may still know this one.
func (t Token) port() uint16 { return tcpPorts | (t.ID+t.Seq)&^uint16(tcpPortsMask) }

// Question is what an instance is asked at one port, or in one direction.
type Question struct {
	// Frame is sent out of Port.
	Frame []byte
	Port  uint32
	// Text names the question, such as "an echo request to 10.0.9.11".
	Text string

	protocol topology.ProbeProtocol
	out      uint32 // where it has to come out of a transparent function; 0 for others
	token    Token
	mac      topology.MAC // of the question's source, or of the endpoint that is asked
	from, to netip.AddrPort
}

// Questions are what an instance is asked at once; all have to be answered. There is
// none if the function has no probe, or an endpoint has no address to ask.
func Questions(i *Instance, t Token) []Question {
	p := i.Function.Spec.Probe
	switch {
	case p == nil || i.Function.Spec.Type == topology.FunctionTap:
		return nil
	case i.Function.Spec.Type == topology.FunctionTransparent:
		return i.questionsThrough(p, t)
	}
	var list []Question
	for _, a := range i.Arms {
		gateway, addr, ok := a.asked()
		if !ok {
			return nil
		}
		q := Question{Port: a.OFPort, protocol: p.Protocol, token: t, mac: a.Endpoint.Allocated.MAC,
			from: netip.AddrPortFrom(gateway, t.port()), to: netip.AddrPortFrom(addr, uint16(p.Port))}
		switch p.Protocol {
		case topology.ProbeARP:
			q.Text = "an ARP request for " + addr.String()
			q.Frame = packet.ARPRequest(GatewayMAC, gateway, addr, q.mac)
			if addr.Is6() {
				q.Text = "a neighbour solicitation for " + addr.String()
				q.Frame = packet.NeighbourSolicitation(GatewayMAC, gateway, addr, q.mac)
			}
		case topology.ProbeICMP:
			q.Text = "an echo request to " + addr.String()
			q.Frame = packet.EchoRequest(GatewayMAC, q.mac, packet.Echo{Src: gateway, Dst: addr, ID: t.ID, Seq: t.Seq})
		case topology.ProbeTCP:
			q.Text = "a TCP connection to " + q.to.String()
			q.Frame = packet.SYN(GatewayMAC, q.mac, q.from, q.to, t.Number)
		}
		list = append(list, q)
	}
	return list
}

// asked are the address of the endpoint that is asked, and that of the gateway in its
// subnet.
func (a Arm) asked() (gateway, addr netip.Addr, ok bool) {
	for _, v4 := range []bool{true, false} {
		for _, addr := range a.Endpoint.Allocated.Addresses {
			for _, s := range a.Network.Allocated.Subnets {
				if addr.Is4() == v4 && s.CIDR.Contains(addr) && s.Gateway.IsValid() && s.Gateway != addr {
					return s.Gateway, addr, true
				}
			}
		}
	}
	return gateway, addr, false
}

// questionsThrough go through a transparent function: in at its first port and, if it
// has two, in at the other.
func (i *Instance) questionsThrough(p *topology.Probe, t Token) []Question {
	first, last := i.Arms[0], i.Arms[len(i.Arms)-1]
	gateway, a, ok := first.asked()
	if !ok {
		return nil
	}
	// To the other endpoint, if that has an address of this IP version.
	b := gateway
	if _, other, found := last.asked(); found && other != a && other.Is4() == a.Is4() {
		b = other
	}
	list := []Question{through(first, last, a, b, topology.ProbeMAC, topology.ProbeBackMAC, p, t)}
	if len(i.Arms) > 1 {
		list = append(list, through(last, first, b, a, topology.ProbeBackMAC, topology.ProbeMAC, p, t))
	}
	return list
}

func through(in, out Arm, src, dst netip.Addr, srcMAC, dstMAC topology.MAC, p *topology.Probe, t Token) Question {
	q := Question{Port: in.OFPort, out: out.OFPort, protocol: p.Protocol, token: t, mac: srcMAC,
		from: netip.AddrPortFrom(src, 0), to: netip.AddrPortFrom(dst, 0)}
	what := "an ARP request"
	switch p.Protocol {
	case topology.ProbeARP:
		q.Frame = packet.ARPRequest(srcMAC, netip.IPv4Unspecified(), dummyAddress, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	case topology.ProbeICMP:
		what = "an echo request"
		q.Frame = packet.EchoRequest(srcMAC, dstMAC, packet.Echo{Src: src, Dst: dst, ID: t.ID, Seq: t.Seq})
	}
	q.Text = fmt.Sprintf("%s from %s to %s", what, in.Endpoint.Key(), out.Endpoint.Key())
	return q
}

// Answer is what a frame says to a question.
type Answer int

// The answers.
const (
	NoAnswer Answer = iota // it is about something else
	Works
	Refuses // there is nobody at the port
)

// Answer reads a frame that came in at a port of the instance. reset, if there is one, is
// sent out of Port: it ends the connection that was opened.
func (q *Question) Answer(port uint32, frame []byte) (a Answer, reset []byte) {
	if q.out != 0 {
		return q.cameThrough(port, frame), nil
	}
	switch q.protocol {
	case topology.ProbeARP:
		if addr, _, reply, ok := packet.Neighbour(frame); ok && reply && addr == q.to.Addr() {
			return Works, nil
		}
	case topology.ProbeICMP:
		e, ok := packet.ParseEcho(frame)
		if ok && e == (packet.Echo{Src: q.to.Addr(), Dst: q.from.Addr(), Reply: true, ID: q.token.ID, Seq: q.token.Seq}) {
			return Works, nil
		}
	case topology.ProbeTCP:
		s, ok := packet.ParseSYNAnswer(frame)
		switch {
		case !ok || s.Src != q.to || s.Dst != q.from || s.Ack != q.token.Number+1:
		case !s.Open:
			return Refuses, nil
		default:
			reset, _ = packet.Reset(frame, GatewayMAC, q.mac)
			return Works, reset
		}
	}
	return NoAnswer, nil
}

// cameThrough says whether a frame is the question itself. What is behind its headers may
// have changed: an ARP request is made longer on its way, and a TTL lower.
func (q *Question) cameThrough(port uint32, frame []byte) Answer {
	if port != q.out || len(frame) < 14 || topology.MAC(frame[6:12]) != q.mac {
		return NoAnswer
	}
	if q.protocol == topology.ProbeARP {
		if bytes.HasPrefix(frame, q.Frame) {
			return Works
		}
		return NoAnswer
	}
	if e, ok := packet.ParseEcho(frame); ok && e == (packet.Echo{Src: q.from.Addr(), Dst: q.to.Addr(), ID: q.token.ID, Seq: q.token.Seq}) {
		return Works
	}
	return NoAnswer
}

// RoundTrip makes a frame that the switch sends straight back up, and the actions that
// have it do so: what it has received before has been sent up by then. It carries an id,
// which comes back by ProbeID.
func RoundTrip(id uint64) (frame []byte, a []openflow.Action) {
	return probeFrame(id), actions(openflow.ToController{MaxLen: ProbeLen})
}
