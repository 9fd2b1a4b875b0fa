package pipeline

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// asked is an instance with two ports of a function that is probed.
func asked(typ topology.FunctionType, protocol topology.ProbeProtocol, addrs ...string) *Instance {
	f := &topology.ServiceFunction{Spec: topology.ServiceFunctionSpec{Type: typ, Probe: &topology.Probe{Protocol: protocol, Port: 80}},
		Allocated: topology.ServiceFunctionAllocation{ID: 9, Instances: []topology.InstanceAllocation{{In: "a", Number: 1}}}}
	i := &Instance{Function: f, Number: 1}
	for n, a := range addrs {
		i.Arms = append(i.Arms, Arm{instanceEndpoint(fmt.Sprint("e", n), a, byte(0x41+n)), blue, uint32(41 + n)})
	}
	return i
}

var aToken = Token{ID: 0x1234, Seq: 7, Number: 1000}

// turned is the answer of a host to a question: the same frame with ends and types
// changed.
func turned(t *testing.T, q Question) []byte {
	t.Helper()
	f := bytes.Clone(q.Frame)
	copy(f, q.Frame[6:12])
	copy(f[6:], q.Frame[:6])
	swap := func(a, b, n int) { copy(f[a:a+n], q.Frame[b:b+n]); copy(f[b:b+n], q.Frame[a:a+n]) }
	l4 := 34
	switch {
	case f[12] == 0x08 && f[13] == 0x06:
		copy(f[22:], q.Frame[:6])
		copy(f[32:], q.Frame[6:12])
		copy(f[28:], q.Frame[38:42])
		copy(f[38:], q.Frame[28:32])
		f[21] = 2
		return f
	case f[12] == 0x08:
		swap(26, 30, 4)
	default:
		swap(22, 38, 16)
		l4 = 54
	}
	if q.protocol == topology.ProbeTCP {
		swap(l4, l4+2, 2)
		copy(f[l4+8:], []byte{0, 0, 0x03, 0xe9})
		f[l4+13] = 0x12
		f[l4+16], f[l4+17] = 0, 0 // the checksum is not right
		return f[:l4+20]
	}
	f[l4] = map[byte]byte{8: 0, 128: 129}[f[l4]]
	return f
}

func TestQuestionsAndAnswers(t *testing.T) {
	for _, typ := range []topology.FunctionType{topology.FunctionRouted, topology.FunctionRewriting} {
		for _, p := range []topology.ProbeProtocol{topology.ProbeARP, topology.ProbeICMP, topology.ProbeTCP} {
			for _, a := range []string{"10.0.0.21", "fd00:1::21"} {
				if p == topology.ProbeARP && strings.Contains(a, ":") {
					continue // see TestANeighbourIsSolicited
				}
				list := Questions(asked(typ, p, a, a+"0"), aToken)
				if len(list) != 2 {
					t.Fatalf("%s, %s: %d questions", typ, p, len(list))
				}
				for n, q := range list {
					if q.Port != uint32(41+n) || [6]byte(q.Frame[6:]) != GatewayMAC || [6]byte(q.Frame) != [6]byte{2, 0, 0, 0, 0, byte(0x41 + n)} {
						t.Errorf("%s %s: out of port %d: %x", p, a, q.Port, q.Frame)
					}
					// Of two ports in one subnet, either may answer.
					if got, _ := q.Answer(uint32(42-n), turned(t, q)); got != Works {
						t.Errorf("%s %s: %d", p, a, got)
					}
					if got, _ := q.Answer(q.Port, turned(t, list[1-n])); got != NoAnswer {
						t.Errorf("%s %s: the answer to another question is taken: %d", p, a, got)
					}
					if got, _ := q.Answer(q.Port, q.Frame); got != NoAnswer {
						t.Errorf("%s %s: the question is its own answer: %d", p, a, got)
					}
					later := Questions(asked(typ, p, a, a+"0"), Token{aToken.ID, aToken.Seq + 1, aToken.Number + 1})[n]
					if got, _ := later.Answer(q.Port, turned(t, q)); p != topology.ProbeARP && got != NoAnswer {
						t.Errorf("%s %s: the answer to an earlier question is taken: %d", p, a, got)
					}
				}
			}
		}
	}
}

func TestANeighbourIsSolicited(t *testing.T) {
	q := Questions(asked(topology.FunctionRouted, topology.ProbeARP, "fd00:1::31"), aToken)[0]
	a, mac, _, ok := packet.Neighbour(q.Frame)
	if !ok || a != netip.MustParseAddr("fd00:1::1") || mac != GatewayMAC {
		t.Fatalf("it says that %s is at %x", a, mac)
	}
	says := func(addr string) Answer {
		got, _ := q.Answer(41, packet.Announcement([6]byte{2, 0, 0, 0, 0, 0x41}, netip.MustParseAddr(addr)))
		return got
	}
	if says("fd00:1::31") != Works || says("fd00:1::32") != NoAnswer {
		t.Error("its advertisement is not told from another's")
	}
}

// A connection is ended at once, and a port where nobody listens is told from silence.
func TestConnectionsAreReset(t *testing.T) {
	q := Questions(asked(topology.FunctionRewriting, topology.ProbeTCP, "10.0.0.31"), aToken)[0]
	frame := turned(t, q)
	cut := append(bytes.Clone(frame[:16]), frame[16:]...)
	cut[17] = 44 // it has options, which are cut off: its checksum cannot be looked at
	cut[46] = 0x50
	got, reset := q.Answer(41, cut)
	if got != Works || len(reset) < 54 || reset[47] != 4 || [6]byte(reset) != [6]byte{2, 0, 0, 0, 0, 0x41} {
		t.Errorf("%d, reset %x", got, reset)
	}
	refusal := bytes.Clone(frame)
	refusal[47] = 0x14
	if got, reset := q.Answer(41, refusal); got != Refuses || reset != nil {
		t.Errorf("a refusal is %d, reset %x", got, reset)
	}
}

func TestQuestionsThrough(t *testing.T) {
	for _, p := range []topology.ProbeProtocol{topology.ProbeARP, topology.ProbeICMP} {
		for _, addrs := range [][]string{{"10.0.0.31", "10.0.0.32"}, {"fd00:1::31", "fd00:1::32"}, {"10.0.0.31", "fd00:1::32"}} {
			list := Questions(asked(topology.FunctionTransparent, p, addrs...), aToken)
			if len(list) != 2 || list[0].Port != 41 || list[1].Port != 42 {
				t.Fatalf("%s: %+v", p, list)
			}
			if topology.MAC(list[0].Frame[6:12]) != topology.ProbeMAC || topology.MAC(list[1].Frame[6:12]) != topology.ProbeBackMAC {
				t.Errorf("%s: sources %x, %x", p, list[0].Frame[6:12], list[1].Frame[6:12])
			}
			for n, q := range list {
				longer := append(bytes.Clone(q.Frame), make([]byte, 18)...)
				for port, want := range map[uint32]Answer{41: NoAnswer, 42: NoAnswer, uint32(42 - n): Works} {
					if got, _ := q.Answer(port, longer); got != want {
						t.Errorf("%s: it came out at port %d: %d", p, port, got)
					}
				}
				if got, _ := q.Answer(uint32(42-n), list[1-n].Frame); got != NoAnswer {
					t.Errorf("%s: what goes the other way is taken", p)
				}
			}
		}
		one := Questions(asked(topology.FunctionTransparent, p, "10.0.0.31"), aToken)
		if len(one) != 1 {
			t.Fatalf("%s: %d questions by one port", p, len(one))
		}
		if got, _ := one[0].Answer(41, one[0].Frame); got != Works {
			t.Errorf("%s: by one port: %d", p, got)
		}
	}
}

func TestWhoIsNotAsked(t *testing.T) {
	no := asked(topology.FunctionRouted, topology.ProbeARP, "192.0.2.77") // in no subnet
	tapped := asked(topology.FunctionTap, topology.ProbeARP, "10.0.0.31")
	silent := asked(topology.FunctionRouted, topology.ProbeARP, "10.0.0.31")
	silent.Function.Spec.Probe = nil
	for name, i := range map[string]*Instance{"no address": no, "a tap": tapped, "no probe": silent} {
		if Questions(i, aToken) != nil || Answers(i) != nil {
			t.Errorf("%s: it is asked", name)
		}
	}
	if _, ok := AnswerMeter(silent.Function, 3); ok {
		t.Error("a meter without a probe")
	}
}

// The meter lets through all that is asked for, and is one that every switch has.
func TestAnswerMeters(t *testing.T) {
	f := asked(topology.FunctionRouted, topology.ProbeARP).Function
	f.Allocated.ID, f.Spec.Probe.IntervalMillis = topology.MaxFunctionID, 100
	m, ok := AnswerMeter(f, topology.MaxInstances)
	if asked := uint32(10 * 2 * topology.MaxInstances); !ok || m.Rate < 2*asked || m.Rate > 3*asked || m.ID > 65536 {
		t.Errorf("%+v", m)
	}
	f.Spec.Probe.IntervalMillis = 60_000
	if m, _ := AnswerMeter(f, 1); m.Rate < 10 {
		t.Errorf("%+v", m)
	}
}

// A real switch sends up the answers to all questions, whoever gives them, and nothing
// else of the instance.
func TestAnswersGoUp(t *testing.T) {
	h := ovstest.Start(t)
	h.StartSwitch()
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "fail_mode=secure",
		"--", "add-port", "br-int", "p41", "--", "set", "interface", "p41", "type=dummy", "ofport_request=41")
	waitOFPort(t, h, "p41", "41")
	const gw = "dl_src=02:00:00:00:00:41,dl_dst=0e:64:76:00:00:01,"
	// The answers to questions of each protocol, and what is like them and is none.
	v4 := map[topology.ProbeProtocol][2]string{
		topology.ProbeARP:  {"arp,arp_op=2,arp_spa=10.0.0.31,arp_tpa=10.0.0.1", "arp,arp_op=1,arp_spa=10.0.0.31,arp_tpa=10.0.0.1"},
		topology.ProbeICMP: {"icmp,nw_src=10.0.0.31,nw_dst=10.0.0.1,icmp_type=0", "icmp,nw_src=10.0.0.31,nw_dst=10.0.0.1,icmp_type=8"},
		topology.ProbeTCP:  {"tcp,nw_src=10.0.0.31,nw_dst=10.0.0.1,tcp_src=80,tcp_dst=61447", "tcp,nw_src=10.0.0.31,nw_dst=10.0.0.1,tcp_src=80,tcp_dst=61439"},
	}
	v6 := map[topology.ProbeProtocol][2]string{
		topology.ProbeARP:  {"icmp6,icmpv6_type=136,ipv6_src=fd00:1::31,ipv6_dst=fd00:1::1,nd_target=fd00:1::31", "icmp6,icmpv6_type=135,ipv6_src=fd00:1::31,ipv6_dst=fd00:1::1,nd_target=fd00:1::31"},
		topology.ProbeICMP: {"icmp6,ipv6_src=fd00:1::31,ipv6_dst=fd00:1::1,icmpv6_type=129", "icmp6,ipv6_src=fd00:1::31,ipv6_dst=fd00:1::1,icmpv6_type=128"},
		topology.ProbeTCP:  {"tcp6,ipv6_src=fd00:1::31,ipv6_dst=fd00:1::1,tcp_src=80,tcp_dst=65535", "tcp6,ipv6_src=fd00:1::32,ipv6_dst=fd00:1::1,tcp_src=80,tcp_dst=65535"},
	}
	goesUp := func(i *Instance, packet string, want bool) {
		t.Helper()
		h.Ofctl("-O", "OpenFlow13", "del-flows", "br-int")
		m, _ := AnswerMeter(i.Function, 1)
		h.Ofctl("-O", "OpenFlow13", "del-meters", "br-int")
		h.Ofctl("-O", "OpenFlow13", "add-meter", "br-int", fmt.Sprintf("meter=%d pktps burst stats bands=type=drop rate=%d burst_size=%d", m.ID, m.Rate, m.Burst))
		for _, f := range Answers(i) {
			if err := Check(f); err != nil {
				t.Error(err)
			}
			h.Ofctl("-O", "OpenFlow13", "add-flow", "br-int", f.String())
		}
		if got := h.Appctl("ofproto/trace", "br-int", packet); strings.Contains(got, "CONTROLLER:160") != want {
			t.Errorf("%s: goes up: %t, want %t\n%s", packet, !want, want, got)
		}
	}
	for p := range v4 {
		for _, c := range []struct {
			addr string
			by   [2]string
		}{{"10.0.0.31", v4[p]}, {"fd00:1::31", v6[p]}} {
			i := asked(topology.FunctionRouted, p, c.addr, "10.0.0.99")
			goesUp(i, "in_port=41,"+gw+c.by[0], true)
			goesUp(i, "in_port=41,"+gw+c.by[1], false)
			goesUp(i, "in_port=42,"+gw+c.by[0], true)
			goesUp(i, "in_port=43,"+gw+c.by[0], false)
		}
	}
	i := asked(topology.FunctionTransparent, topology.ProbeARP, "10.0.0.31", "10.0.0.32")
	for mac, want := range map[topology.MAC]bool{topology.ProbeMAC: true, topology.ProbeBackMAC: true, topology.OutsideMAC: false, {2, 0, 0, 0, 0, 4}: false} {
		goesUp(i, "in_port=42,dl_src="+mac.String()+",dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1", want)
	}
}

func FuzzAnswer(f *testing.F) {
	var questions []Question
	for _, p := range []topology.ProbeProtocol{topology.ProbeARP, topology.ProbeICMP, topology.ProbeTCP} {
		for _, typ := range []topology.FunctionType{topology.FunctionRouted, topology.FunctionTransparent} {
			if typ == topology.FunctionTransparent && p == topology.ProbeTCP {
				continue
			}
			questions = append(questions, Questions(asked(typ, p, "10.0.0.31", "10.0.0.32"), aToken)...)
			questions = append(questions, Questions(asked(typ, p, "fd00:1::31", "fd00:1::32"), aToken)...)
		}
	}
	for _, q := range questions {
		f.Add(q.Frame)
		f.Add(q.Frame[:len(q.Frame)-3])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, q := range questions {
			for _, port := range []uint32{0, 41, 42} {
				if a, reset := q.Answer(port, frame); reset != nil && (a != Works || q.protocol != topology.ProbeTCP) {
					t.Errorf("%d, reset %x", a, reset)
				}
			}
			if id, ok := ProbeID(openflow.PacketIn{Data: frame}); ok && len(frame) < 30 {
				t.Errorf("id %d of %x", id, frame)
			}
		}
	})
}
