package openflow

import (
	"encoding/binary"
	"fmt"

	of "github.com/contiv/libOpenflow/openflow13"
)

// The builders return a whole message with transaction id 0; see SetXID.

// message is an OpenFlow 1.3 message with a body.
func message(t Type, body ...byte) []byte {
	m := make([]byte, headerLen, headerLen+len(body))
	m[0], m[1] = version13, byte(t)
	binary.BigEndian.PutUint16(m[2:], uint16(headerLen+len(body)))
	return append(m, body...)
}

// Hello offers OpenFlow 1.3 only, with a version bitmap (OpenFlow 1.3.5, A.5.1).
func Hello() []byte { return message(TypeHello, 0, 1, 0, 8, 0, 0, 0, 1<<version13) }

// EchoRequest asks for an echo of data, of which it takes what fits a message.
func EchoRequest(data []byte) []byte { return echo(TypeEchoRequest, data) }

// EchoReply answers an echo request: same data, and SetXID with its XID.
func EchoReply(data []byte) []byte { return echo(TypeEchoReply, data) }

func echo(t Type, data []byte) []byte {
	return message(t, data[:min(len(data), MaxMessage-headerLen)]...)
}

// FeaturesRequest asks for the datapath id.
func FeaturesRequest() []byte { return message(TypeFeaturesRequest) }

// SetConfig sets how many bytes of a packet a table miss sends; 65535 is the
// whole packet, unbuffered. Fragments are handled normally.
func SetConfig(missSendLen uint16) []byte {
	return message(TypeSetConfig, 0, 0, byte(missSendLen>>8), byte(missSendLen))
}

// BarrierRequest asks for a reply when everything before it is done.
func BarrierRequest() []byte { return message(TypeBarrierRequest) }

// BarrierReply is a switch's answer to a barrier request.
func BarrierReply() []byte { return message(TypeBarrierReply) }

// Role is a controller's role at a switch (OpenFlow 1.3.5, A.3.9).
type Role uint32

// The roles.
const (
	RoleNoChange Role = iota
	RoleEqual
	RoleMaster
	RoleSlave
)

// RoleRequest asks for a role. A switch refuses master and slave with a
// generation id older than one it has seen.
func RoleRequest(role Role, generationID uint64) []byte {
	return message(TypeRoleRequest, roleBody(role, generationID)...)
}

// RoleReply is a switch's answer to a role request.
func RoleReply(role Role, generationID uint64) []byte {
	return message(TypeRoleReply, roleBody(role, generationID)...)
}

func roleBody(role Role, generationID uint64) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(role))
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 0), generationID)
}

// PacketOut has the switch run actions on a packet as if it came in by inPort;
// PortController and PortLocal are possible.
func PacketOut(inPort uint32, actions []Action, data []byte) ([]byte, error) {
	encoded, n, err := encodeActions(actions, nil)
	if err != nil {
		return nil, fmt.Errorf("build packet-out: %w", err)
	}
	const head = 24
	if size := head + n + len(data); size > MaxMessage {
		return nil, fmt.Errorf("build packet-out: %d bytes do not fit a message", size)
	}
	out := of.NewPacketOut()
	out.Xid = 0
	out.InPort = inPort
	out.Actions = encoded
	out.ActionsLen = uint16(n)
	out.Data = rawBytes(data)
	return out.MarshalBinary()
}

// Delete deletes the entry with an id: see DeleteFlow, DeleteGroup and DeleteMeter.
func Delete(id ID) []byte {
	switch id.Kind {
	case EntryGroup:
		return DeleteGroup(id.Number)
	case EntryMeter:
		return DeleteMeter(id.Number)
	}
	return DeleteFlow(id.Table, id.Cookie)
}

// DeleteFlow deletes the flows of a table with exactly this cookie.
func DeleteFlow(table uint8, cookie uint64) []byte {
	return deleteFlow(of.FC_DELETE, table, 0, cookie, ^uint64(0), nil)
}

// DeleteFlowStrict deletes the flow with exactly this match (FlowStat.Match)
// and priority, whatever its cookie. A match longer than a message can hold is
// a programming error and panics; one that a switch sent never is.
func DeleteFlowStrict(table uint8, priority uint16, match []byte) []byte {
	return deleteFlow(of.FC_DELETE_STRICT, table, priority, 0, 0, match)
}

func deleteFlow(command, table uint8, priority uint16, cookie, mask uint64, match []byte) []byte {
	if len(match) == 0 {
		match = emptyMatch[:]
	}
	if flowModHead+len(match) > MaxMessage {
		panic("openflow: a match longer than a message")
	}
	mod := message(TypeFlowMod, make([]byte, flowModHead-headerLen)...)
	binary.BigEndian.PutUint64(mod[8:], cookie)
	binary.BigEndian.PutUint64(mod[16:], mask)
	mod[24], mod[25] = table, command
	binary.BigEndian.PutUint16(mod[30:], priority)
	for i := 32; i < 44; i++ { // no buffer, any port, any group
		mod[i] = 0xff
	}
	mod = append(mod, match...)
	binary.BigEndian.PutUint16(mod[2:], uint16(len(mod)))
	return mod
}

// emptyMatch is an OXM match without fields.
var emptyMatch = [8]byte{1: 1, 3: 4}

// DeleteGroup deletes a group, and with it the flows that use it.
func DeleteGroup(id uint32) []byte {
	body := binary.BigEndian.AppendUint32([]byte{0, of.OFPGC_DELETE, 0, 0}, id)
	return message(TypeGroupMod, body...)
}

// DeleteMeter deletes a meter, and with it the flows that use it.
func DeleteMeter(id uint32) []byte {
	body := binary.BigEndian.AppendUint32([]byte{0, of.OFPMC_DELETE, 0, 0}, id)
	return message(TypeMeterMod, body...)
}

// Modify is the message that changes an existing group or meter into e, for
// which the Add message fails. For a flow it is e.Add: to add a flow again
// replaces it.
func Modify(e Entry) []byte {
	msg := append([]byte(nil), e.Add...)
	if e.ID.Kind != EntryFlow && len(msg) > 9 {
		msg[9] = 1 // OFPGC_MODIFY, OFPMC_MODIFY
	}
	return msg
}
