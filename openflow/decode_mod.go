package openflow

import "fmt"

// Commands of a flow-mod, and of a group-mod or meter-mod, where Delete is 2.
const (
	FlowAdd uint8 = iota
	FlowModify
	FlowModifyStrict
	FlowDelete
	FlowDeleteStrict
)

// FlowMod is a flow-mod as a switch sees it.
type FlowMod struct {
	Command    uint8
	ID         ID
	CookieMask uint64
	Sum        uint64 // comparable to Entry.Sum
	// Match and Instructions are raw, and part of the message's body.
	Match, Instructions []byte
}

// DecodeFlowMod decodes a controller's flow-mod.
func DecodeFlowMod(m Message) (FlowMod, error) {
	const head = flowModHead - headerLen
	b := m.Body
	if m.Type != TypeFlowMod || len(b) < head {
		return FlowMod{}, tooShort("flow-mod", len(b))
	}
	match, instructions, err := splitMatch(b[head:])
	if err != nil {
		return FlowMod{}, fmt.Errorf("decode flow-mod: %w", err)
	}
	return FlowMod{
		Command:      b[17],
		ID:           ID{Kind: EntryFlow, Table: b[16], Priority: be.Uint16(b[22:]), Cookie: be.Uint64(b)},
		CookieMask:   be.Uint64(b[8:]),
		Sum:          flowSum(b[head:], be.Uint16(b[18:]), be.Uint16(b[20:]), be.Uint16(b[36:])),
		Match:        match,
		Instructions: instructions,
	}, nil
}

// EntryMod is a group-mod or meter-mod as a switch sees it.
type EntryMod struct {
	Command uint16 // 0 add, 1 modify, 2 delete
	ID      ID
	Sum     uint64 // comparable to Entry.Sum
	// Kind is a group's type or a meter's flags, Body its buckets or bands,
	// part of the message's body.
	Kind uint16
	Body []byte
}

// DecodeGroupMod decodes a controller's group-mod.
func DecodeGroupMod(m Message) (EntryMod, error) {
	b := m.Body
	if m.Type != TypeGroupMod || len(b) < groupModHead-headerLen {
		return EntryMod{}, tooShort("group-mod", len(b))
	}
	id := ID{Kind: EntryGroup, Number: be.Uint32(b[4:])}
	return EntryMod{Command: be.Uint16(b), ID: id, Sum: groupSum(b[2], b[8:]), Kind: uint16(b[2]), Body: b[8:]}, nil
}

// DecodeMeterMod decodes a controller's meter-mod.
func DecodeMeterMod(m Message) (EntryMod, error) {
	b := m.Body
	if m.Type != TypeMeterMod || len(b) < meterModHead-headerLen {
		return EntryMod{}, tooShort("meter-mod", len(b))
	}
	id, flags := ID{Kind: EntryMeter, Number: be.Uint32(b[4:])}, be.Uint16(b[2:])
	return EntryMod{Command: be.Uint16(b), ID: id, Sum: meterSum(flags, b[8:]), Kind: flags, Body: b[8:]}, nil
}
