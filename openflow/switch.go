package openflow

import (
	"encoding/binary"
	"time"
)

// What a switch says, for simulated switches. All with transaction id 0.

// Message is a features reply.
func (f Features) Message() []byte {
	b := binary.BigEndian.AppendUint64(nil, f.DatapathID)
	b = binary.BigEndian.AppendUint32(b, f.Buffers)
	b = append(b, f.Tables, f.AuxiliaryID, 0, 0)
	b = binary.BigEndian.AppendUint32(b, f.Capabilities)
	return message(TypeFeaturesReply, append(b, 0, 0, 0, 0)...)
}

// Answer is what a switch with these features answers to a request that is about
// none of its tables: for its features, a role, an echo or a barrier. It is nil for
// all others.
func (f Features) Answer(m Message) []byte {
	var reply []byte
	switch m.Type {
	case TypeFeaturesRequest:
		reply = f.Message()
	case TypeRoleRequest:
		role, id, err := DecodeRoleReply(m)
		if err != nil {
			return nil
		}
		reply = RoleReply(role, id)
	case TypeEchoRequest:
		reply = EchoReply(m.Body)
	case TypeBarrierRequest:
		reply = BarrierReply()
	default:
		return nil
	}
	SetXID(reply, m.XID)
	return reply
}

// Message is an error message with the type, code and data of e; set the
// refused message's XID with SetXID.
func (e *ErrorMsg) Message() []byte {
	b := binary.BigEndian.AppendUint16(nil, e.Type)
	b = binary.BigEndian.AppendUint16(b, e.Code)
	if e.Type == errExperimenter {
		b = binary.BigEndian.AppendUint32(b, e.Experimenter)
	}
	return message(TypeError, append(b, e.Data[:min(len(e.Data), 1024)]...)...)
}

// DecodeFlowQuery decodes the body of a MultipartFlow request, without its match, port and
// group.
func DecodeFlowQuery(body []byte) (FlowQuery, error) {
	if len(body) < 32 {
		return FlowQuery{}, tooShort("flow statistics request", len(body))
	}
	return FlowQuery{Table: body[0], Cookie: be.Uint64(body[16:]), CookieMask: be.Uint64(body[24:])}, nil
}

// Selects says whether the query is for the flow.
func (q FlowQuery) Selects(id ID) bool {
	return (q.Table == tableAll || q.Table == id.Table) && (q.Cookie^id.Cookie)&q.CookieMask == 0
}

// AppendFlowStat appends a flow to the body of a MultipartFlow reply. It uses
// ID, counters, Duration, Match and Instructions of s.
func AppendFlowStat(dst []byte, s FlowStat) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(flowStatHead+len(s.Match)+len(s.Instructions)))
	dst = append(dst, s.ID.Table, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.Duration/time.Second))
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.Duration%time.Second))
	dst = binary.BigEndian.AppendUint16(dst, s.ID.Priority)
	dst = append(dst, make([]byte, 10)...) // timeouts, flags, padding
	dst = binary.BigEndian.AppendUint64(dst, s.ID.Cookie)
	dst = binary.BigEndian.AppendUint64(dst, s.Packets)
	dst = binary.BigEndian.AppendUint64(dst, s.Bytes)
	return append(append(dst, s.Match...), s.Instructions...)
}

// AppendDesc appends the group or meter to the body of a MultipartGroupDesc or
// MultipartMeterConfig reply.
func (e EntryMod) AppendDesc(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(8+len(e.Body)))
	if e.ID.Kind == EntryGroup {
		dst = append(dst, byte(e.Kind), 0)
	} else {
		dst = binary.BigEndian.AppendUint16(dst, e.Kind)
	}
	return append(binary.BigEndian.AppendUint32(dst, e.ID.Number), e.Body...)
}
