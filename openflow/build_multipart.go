package openflow

import "encoding/binary"

// MultipartType is the type of a multipart message (OpenFlow 1.3.5, A.3.5).
type MultipartType uint16

// The multipart types that a session meets.
const (
	MultipartDesc         MultipartType = 0
	MultipartFlow         MultipartType = 1
	MultipartGroupDesc    MultipartType = 7
	MultipartMeterConfig  MultipartType = 10
	MultipartPortDesc     MultipartType = 13
	MultipartExperimenter MultipartType = 0xffff
)

// multipart is a multipart message with a body.
func multipart(t Type, mt MultipartType, more bool, body []byte) []byte {
	b := make([]byte, 8, 8+len(body))
	binary.BigEndian.PutUint16(b, uint16(mt))
	if more {
		b[3] = 1
	}
	return message(t, append(b, body...)...)
}

// FlowStatsRequest asks for all flows of all tables.
func FlowStatsRequest() []byte { return FlowStatsRequestTable(tableAll) }

// FlowStatsRequestTable asks for all flows of a table.
func FlowStatsRequestTable(table uint8) []byte { return FlowQuery{Table: table}.Request() }

// FlowQuery selects flows of a table: those whose cookies have Cookie's value in the bits
// of CookieMask. Mask 0 selects all of them.
type FlowQuery struct {
	Table              uint8
	Cookie, CookieMask uint64
}

// Request asks for the flows (OpenFlow 1.3.5, A.3.5.2).
func (q FlowQuery) Request() []byte {
	body := make([]byte, 32, 40)
	body[0] = q.Table
	for i := 4; i < 12; i++ { // any port, any group
		body[i] = 0xff
	}
	binary.BigEndian.PutUint64(body[16:], q.Cookie)
	binary.BigEndian.PutUint64(body[24:], q.CookieMask)
	return multipart(TypeMultipartRequest, MultipartFlow, false, append(body, emptyMatch[:]...))
}

// GroupDescRequest asks for all groups.
func GroupDescRequest() []byte {
	return multipart(TypeMultipartRequest, MultipartGroupDesc, false, nil)
}

// MeterConfigRequest asks for all meters.
func MeterConfigRequest() []byte {
	all := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	return multipart(TypeMultipartRequest, MultipartMeterConfig, false, all)
}

// PortDescRequest asks for all ports; see DecodePortDescs.
func PortDescRequest() []byte {
	return multipart(TypeMultipartRequest, MultipartPortDesc, false, nil)
}

// MultipartReply is a part of a switch's answer; all but the last say more. A
// body longer than a message can hold (65,519 bytes) is a programming error
// and panics.
func MultipartReply(t MultipartType, more bool, body []byte) []byte {
	if len(body) > MaxMessage-16 {
		panic("openflow: a multipart body longer than a message")
	}
	return multipart(TypeMultipartReply, t, more, body)
}
