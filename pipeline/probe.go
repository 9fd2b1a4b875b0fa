package pipeline

import (
	"encoding/binary"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// ProbeLen is the length of a tunnel probe in bytes: the smallest frame.
const ProbeLen = 60

// probeMark says that a frame is ours.
const probeMark = "dovetail"

// Probe makes a frame that shows that packets get from one VTEP to another, and
// the actions that send it there. It carries an id, which comes back by ProbeID.
//
// A userspace datapath drops the first packets to a VTEP whose MAC it does not
// know yet; the probe takes the place of a tenant's packet.
func Probe(id uint64, vtep netip.Addr) (frame []byte, a []openflow.Action) {
	return probeFrame(id), actions(
		openflow.SetField{FieldValue: openflow.TunID.Uint(ProbeVNI)},
		openflow.SetField{FieldValue: tunDst(vtep)},
		openflow.Output{Port: TunnelPort})
}

func probeFrame(id uint64) []byte {
	frame := make([]byte, ProbeLen)
	copy(frame, GatewayMAC[:])
	copy(frame[6:], GatewayMAC[:])
	binary.BigEndian.PutUint16(frame[12:], ProbeEtherType)
	copy(frame[14:], probeMark)
	binary.BigEndian.PutUint64(frame[22:], id)
	return frame
}

// ProbeID reads the id of a probe that a switch sent up; ok is false for any
// other packet.
func ProbeID(pkt openflow.PacketIn) (id uint64, ok bool) {
	d := pkt.Data
	if len(d) < 30 || binary.BigEndian.Uint16(d[12:]) != ProbeEtherType || string(d[14:22]) != probeMark {
		return 0, false
	}
	return binary.BigEndian.Uint64(d[22:]), true
}
