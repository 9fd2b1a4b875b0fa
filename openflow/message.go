package openflow

import "time"

// MaxMessage is the largest OpenFlow message in bytes (the length field has 16 bits).
const MaxMessage = 65535

// Type is the type of an OpenFlow 1.3 message.
type Type uint8

// The types of message that a session meets (OpenFlow 1.3.5, A.1).
const (
	TypeHello            Type = 0
	TypeError            Type = 1
	TypeEchoRequest      Type = 2
	TypeEchoReply        Type = 3
	TypeExperimenter     Type = 4
	TypeFeaturesRequest  Type = 5
	TypeFeaturesReply    Type = 6
	TypeSetConfig        Type = 9
	TypePacketIn         Type = 10
	TypeFlowRemoved      Type = 11
	TypePortStatus       Type = 12
	TypePacketOut        Type = 13
	TypeFlowMod          Type = 14
	TypeGroupMod         Type = 15
	TypeMultipartRequest Type = 18
	TypeMultipartReply   Type = 19
	TypeBarrierRequest   Type = 20
	TypeBarrierReply     Type = 21
	TypeRoleRequest      Type = 24
	TypeRoleReply        Type = 25
	TypeSetAsync         Type = 28
	TypeMeterMod         Type = 29
)

// Message is one framed message. Body is the part after the 8-byte header and
// is only valid until the next read.
type Message struct {
	Version uint8
	Type    Type
	XID     uint32
	Body    []byte
}

// FlowStat is one flow that a switch reports.
type FlowStat struct {
	ID       ID
	Sum      uint64 // comparable to Entry.Sum
	Packets  uint64
	Bytes    uint64
	Duration time.Duration
	// Match is the raw OXM match, padded, as needed to delete exactly this flow;
	// with Instructions it is what DecodeFlow needs.
	Match, Instructions []byte
}

// PacketIn is a packet that a switch sends to the controller.
type PacketIn struct {
	Reason uint8 // 0 table miss, 1 an action, 2 invalid TTL
	Table  uint8
	Cookie uint64
	// Fields are the pipeline fields: in port, registers, tunnel.
	Fields Match
	Data   []byte
}
