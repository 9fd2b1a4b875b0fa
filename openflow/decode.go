package openflow

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The decoders below check every length, allocate no more than a small multiple
// of what they are given, and copy what they keep, unless they say otherwise.

var be = binary.BigEndian

// tooShort is the error for a body that lacks bytes.
func tooShort(what string, have int) error {
	return fmt.Errorf("decode %s: cut short after %d bytes", what, have)
}

// NegotiateVersion says whether a peer's hello allows OpenFlow 1.3: by its
// version bitmap, or else by its version being 1.3 or later (OpenFlow 1.3.5,
// 6.3.1). A switch may well say hello in a later version than it then speaks.
func NegotiateVersion(m Message) bool {
	if m.Type != TypeHello {
		return false
	}
	for b := m.Body; len(b) >= 4; {
		length := int(be.Uint16(b[2:]))
		if length < 4 || length > len(b) {
			break
		}
		if be.Uint16(b) == 1 && length >= 8 {
			return be.Uint32(b[4:])&(1<<version13) != 0
		}
		b = b[min(padded(length), len(b)):]
	}
	return m.Version >= version13
}

// Features is what a switch says of itself.
type Features struct {
	DatapathID   uint64
	Buffers      uint32
	Tables       uint8
	AuxiliaryID  uint8
	Capabilities uint32
}

// DecodeFeaturesReply decodes a features reply.
func DecodeFeaturesReply(m Message) (Features, error) {
	b := m.Body
	if len(b) < 24 {
		return Features{}, tooShort("features reply", len(b))
	}
	return Features{
		DatapathID:   be.Uint64(b),
		Buffers:      be.Uint32(b[8:]),
		Tables:       b[12],
		AuxiliaryID:  b[13],
		Capabilities: be.Uint32(b[16:]),
	}, nil
}

// PortReason says what happened to a port.
type PortReason uint8

// The reasons of a port-status message.
const (
	PortAdded PortReason = iota
	PortDeleted
	PortModified
)

// PortStatus is a port, and in a port-status message what happened to it.
type PortStatus struct {
	Reason        PortReason
	Port          uint32
	MAC           [6]byte
	Name          string
	Config, State uint32 // bits of OFPPC and OFPPS; 1 is down in both
}

// portLen is the length of a port's description (OpenFlow 1.3.5, A.2.1).
const portLen = 64

// DecodePortStatus decodes a port-status message.
func DecodePortStatus(m Message) (PortStatus, error) {
	if len(m.Body) < 8+portLen {
		return PortStatus{}, tooShort("port-status", len(m.Body))
	}
	p := decodePort(m.Body[8:])
	p.Reason = PortReason(m.Body[0])
	return p, nil
}

// DecodePortDescs decodes the body of a MultipartPortDesc reply.
func DecodePortDescs(body []byte) ([]PortStatus, error) {
	if len(body)%portLen != 0 {
		return nil, tooShort("port descriptions", len(body))
	}
	ports := make([]PortStatus, 0, len(body)/portLen)
	for ; len(body) > 0; body = body[portLen:] {
		ports = append(ports, decodePort(body))
	}
	return ports, nil
}

func decodePort(b []byte) PortStatus {
	name, _, _ := bytes.Cut(b[16:32], []byte{0})
	return PortStatus{
		Port:   be.Uint32(b),
		MAC:    [6]byte(b[8:14]),
		Name:   string(name),
		Config: be.Uint32(b[32:]),
		State:  be.Uint32(b[36:]),
	}
}

// DecodeRoleReply decodes a role reply (or request).
func DecodeRoleReply(m Message) (role Role, generationID uint64, err error) {
	if len(m.Body) < 16 {
		return 0, 0, tooShort("role reply", len(m.Body))
	}
	return Role(be.Uint32(m.Body)), be.Uint64(m.Body[8:]), nil
}

// FlowRemoved says that a flow is gone.
type FlowRemoved struct {
	ID     ID
	Reason uint8 // 0 idle, 1 hard timeout, 2 deleted, 3 group deleted
	Match  []byte
}

// DecodeFlowRemoved decodes a flow-removed message.
func DecodeFlowRemoved(m Message) (FlowRemoved, error) {
	const head = 40
	b := m.Body
	if len(b) < head {
		return FlowRemoved{}, tooShort("flow-removed", len(b))
	}
	match, _, err := splitMatch(b[head:])
	if err != nil {
		return FlowRemoved{}, fmt.Errorf("decode flow-removed: %w", err)
	}
	return FlowRemoved{
		ID:     ID{Kind: EntryFlow, Cookie: be.Uint64(b), Priority: be.Uint16(b[8:]), Table: b[11]},
		Reason: b[10],
		Match:  bytes.Clone(match),
	}, nil
}

// DecodePacketIn decodes a packet-in. Data is part of the message's body, and
// so only valid as long as that. Fields that this package does not know are
// left out.
func DecodePacketIn(m Message) (PacketIn, error) {
	const head = 16
	b := m.Body
	if len(b) < head {
		return PacketIn{}, tooShort("packet-in", len(b))
	}
	match, rest, err := splitMatch(b[head:])
	if err == nil && len(rest) < 2 {
		err = fmt.Errorf("cut short after %d bytes", len(b))
	}
	if err != nil {
		return PacketIn{}, fmt.Errorf("decode packet-in: %w", err)
	}
	p := PacketIn{Reason: b[6], Table: b[7], Cookie: be.Uint64(b[8:]), Data: rest[2:]}
	for fields := oxmFields(match); len(fields) > 0; {
		o, next, err := nextOXM(fields)
		if err != nil {
			return PacketIn{}, fmt.Errorf("decode packet-in: %w", err)
		}
		if v, err := o.fieldValue(); err == nil && len(p.Fields) < int(numFields) {
			p.Fields = append(p.Fields, v)
		}
		fields = next
	}
	return p, nil
}
