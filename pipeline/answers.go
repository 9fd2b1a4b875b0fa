package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// answerLen is how much of an answer is sent up: its headers, the longest ones too.
const answerLen = 160

// prioAnswer is above all else that is matched of what an instance sends.
const prioAnswer = 240

// AnswerMeter limits the answers of a function's instances on a host, whose number
// instances is, to twice what they are asked for. It is the function's own: who answers more
// often hides nobody's answers but those of instances beside it. ok is false without probe.
func AnswerMeter(f *topology.ServiceFunction, instances int) (m openflow.Meter, ok bool) {
	p := f.Spec.Probe
	if p == nil || instances == 0 {
		return m, false
	}
	const perQuestion = 2 // answers: of two ports, or through both ways
	asked := instances * perQuestion * 1000 / int(p.Interval().Milliseconds())
	rate := uint32(10 + 2*asked)
	return openflow.Meter{ID: answerMeter(f), Rate: rate, Burst: rate}, true
}

func answerMeter(f *topology.ServiceFunction) uint32 { return functionMeters + f.Allocated.ID }

// Answers sends up what an instance answers to its questions, before anything else is
// made of it; see Questions. There are none without a probe.
func Answers(i *Instance) []openflow.Flow {
	var b builder
	p, f := i.Function.Spec.Probe, i.Function
	if p == nil || f.Spec.Type == topology.FunctionTap {
		return nil
	}
	for _, a := range i.Arms {
		from := match(inPort(a.OFPort))
		if f.Spec.Type == topology.FunctionTransparent {
			// Both MACs: a frame that is sent back where it came from is no chain's packet.
			b.answer(f, with(from, openflow.EthSrc.MACMask(topology.ProbeMAC, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xfe})))
			continue
		}
		for _, other := range i.Arms {
			if gateway, addr, ok := other.asked(); ok {
				b.answer(f, with(from, answering(p, gateway, addr)...))
			}
		}
	}
	return b.flows
}

func (b *builder) answer(f *topology.ServiceFunction, m openflow.Match) {
	b.addFlow(openflow.Flow{Table: TableClassify, Priority: prioAnswer, Meter: answerMeter(f), Match: m,
		Actions: actions(set(RegReason.Uint(uint64(ReasonAnswer))), openflow.ToController{MaxLen: answerLen})})
}

// answering matches what an address answers to a gateway.
func answering(p *topology.Probe, gateway, addr netip.Addr) openflow.Match {
	f := fieldsOf(addr)
	if p.Protocol == topology.ProbeARP {
		if addr.Is4() {
			return match(ethType(ethARP), openflow.ARPOp.Uint(2), openflow.ARPSPA.Addr(addr), openflow.ARPTPA.Addr(gateway))
		}
		return with(icmp6(136), openflow.IPv6Dst.Addr(gateway), openflow.NDTarget.Addr(addr))
	}
	m := match(ethType(f.eth), f.src.Addr(addr), f.dst.Addr(gateway))
	if p.Protocol == topology.ProbeTCP {
		return with(m, openflow.IPProto.Uint(protoTCP), openflow.TCPSrc.Uint(uint64(p.Port)), openflow.TCPDst.UintMask(tcpPorts, tcpPortsMask))
	}
	reply := uint64(129)
	if addr.Is4() {
		reply = 0
	}
	return with(m, openflow.IPProto.Uint(f.icmp), f.icmpType.Uint(reply))
}
