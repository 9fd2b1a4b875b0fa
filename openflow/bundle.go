package openflow

import "encoding/binary"

// Message types of the ONF extension 230, bundles in OpenFlow 1.3.
const (
	onfBundleControl = 2300
	onfBundleAdd     = 2301
)

// bundleAddHead is the length of a bundle-add message before the one it wraps.
const bundleAddHead = 24

// Flags of a bundle. Open vSwitch 3.1 takes any combination of the two, and
// none; all messages of a bundle must have the flags it was opened with. It
// applies a bundle in order and all or nothing if they say so.
const (
	BundleAtomic  uint16 = 1
	BundleOrdered uint16 = 2
)

// The types of bundle control message.
const (
	BundleOpenRequest uint16 = iota
	BundleOpenReply
	BundleCloseRequest
	BundleCloseReply
	BundleCommitRequest
	BundleCommitReply
	BundleDiscardRequest
	BundleDiscardReply
)

// BundleControl is a bundle control message.
type BundleControl struct {
	ID    uint32
	Type  uint16
	Flags uint16
}

// Message is b on the wire.
func (b BundleControl) Message() []byte {
	body := onfHead(onfBundleControl)
	body = binary.BigEndian.AppendUint32(body, b.ID)
	body = binary.BigEndian.AppendUint16(body, b.Type)
	return message(TypeExperimenter, binary.BigEndian.AppendUint16(body, b.Flags)...)
}

// BundleOpen opens a bundle.
func BundleOpen(id uint32, flags uint16) []byte {
	return BundleControl{id, BundleOpenRequest, flags}.Message()
}

// BundleCommit commits a bundle; it need not be closed before.
func BundleCommit(id uint32, flags uint16) []byte {
	return BundleControl{id, BundleCommitRequest, flags}.Message()
}

// BundleDiscard discards a bundle.
func BundleDiscard(id uint32, flags uint16) []byte {
	return BundleControl{id, BundleDiscardRequest, flags}.Message()
}

// AppendBundleAdd appends a bundle-add message that wraps msg (an Entry.Add, or
// a delete message), and returns the extended buffer. SetXID on the part that
// was appended sets the outer and the inner transaction id. A msg longer than
// 65,511 bytes is a programming error and panics; no Entry has one.
func AppendBundleAdd(dst []byte, id uint32, flags uint16, msg []byte) []byte {
	size := bundleAddHead + len(msg)
	if size > MaxMessage {
		panic("openflow: a message too long for a bundle")
	}
	dst = append(dst, version13, byte(TypeExperimenter), byte(size>>8), byte(size), 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, onfExperimenter)
	dst = binary.BigEndian.AppendUint32(dst, onfBundleAdd)
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = binary.BigEndian.AppendUint16(append(dst, 0, 0), flags)
	return append(dst, msg...)
}

// DecodeBundleControl decodes a bundle control message. ok is false for any
// other message.
func DecodeBundleControl(m Message) (b BundleControl, ok bool) {
	if !isONF(m, onfBundleControl) || len(m.Body) < 16 {
		return BundleControl{}, false
	}
	return BundleControl{
		ID:    binary.BigEndian.Uint32(m.Body[8:]),
		Type:  binary.BigEndian.Uint16(m.Body[12:]),
		Flags: binary.BigEndian.Uint16(m.Body[14:]),
	}, true
}

// DecodeBundleAdd decodes a bundle-add message; inner is part of m. ok is
// false for any other message, and when the inner one is cut short.
func DecodeBundleAdd(m Message) (id uint32, flags uint16, inner Message, ok bool) {
	if !isONF(m, onfBundleAdd) || len(m.Body) < 16+headerLen {
		return 0, 0, Message{}, false
	}
	b := m.Body[16:]
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length < headerLen || length > len(b) {
		return 0, 0, Message{}, false
	}
	inner = header(b)
	inner.Body = b[headerLen:length:length]
	return binary.BigEndian.Uint32(m.Body[8:]), binary.BigEndian.Uint16(m.Body[14:]), inner, true
}

func onfHead(subtype uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, onfExperimenter), subtype)
}

// isONF says whether m is this message of the Open Networking Foundation.
func isONF(m Message, subtype uint32) bool {
	return m.Type == TypeExperimenter && len(m.Body) >= 8 &&
		binary.BigEndian.Uint32(m.Body) == onfExperimenter && binary.BigEndian.Uint32(m.Body[4:]) == subtype
}
