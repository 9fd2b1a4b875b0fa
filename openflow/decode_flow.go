package openflow

import "fmt"

// Types of instruction and action (OpenFlow 1.3.5, A.2.4 and A.2.5; nicira-ext.h).
const (
	instrGoto  = 1
	instrApply = 4
	instrMeter = 6

	actionOutput       = 0
	actionPushVLAN     = 17
	actionPopVLAN      = 18
	actionGroup        = 22
	actionDecTTL       = 24
	actionSetField     = 25
	actionExperimenter = 0xffff

	niciraExperimenter = 0x2320
	nxMove             = 6
	nxLoad             = 7
	nxResubmitTable    = 14
	nxCT               = 35
	nxConjunction      = 34
	nxNAT              = 36
	nxCTClear          = 43
	nxCheckPktLarger   = 49
	nxInPort           = 0xfff8
)

// DecodeFlow decodes a flow from its id, raw match and instructions, as
// FlowStat has them. It fails on what a Flow cannot say: a field, action or
// instruction that this package does not make.
func DecodeFlow(id ID, match, instructions []byte) (Flow, error) {
	f := Flow{Table: id.Table, Priority: id.Priority, Cookie: id.Cookie}
	var err error
	if f.Match, err = decodeMatch(match); err == nil {
		err = f.decodeInstructions(instructions)
	}
	if err != nil {
		return Flow{}, fmt.Errorf("decode flow of table %d: %w", id.Table, err)
	}
	return f, nil
}

func (f *Flow) decodeInstructions(b []byte) error {
	for len(b) > 0 {
		typ, body, rest, err := nextTLV(b)
		if err != nil {
			return fmt.Errorf("instruction: %w", err)
		}
		switch {
		case typ == instrMeter && len(body) == 4:
			f.Meter = be.Uint32(body)
		case typ == instrGoto && len(body) == 4:
			f.Goto = body[0]
		case typ == instrApply && len(body) >= 4:
			if f.Actions, err = decodeActions(body[4:]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unknown instruction %d of %d bytes", typ, len(body))
		}
		b = rest
	}
	return nil
}

// nextTLV takes an instruction or action off the front of b: type and length,
// a multiple of eight, and what follows.
func nextTLV(b []byte) (typ uint16, body, rest []byte, err error) {
	if len(b) < 8 {
		return 0, nil, nil, fmt.Errorf("cut short after %d bytes", len(b))
	}
	length := int(be.Uint16(b[2:]))
	if length < 8 || length%8 != 0 || length > len(b) {
		return 0, nil, nil, fmt.Errorf("length %d in %d bytes", length, len(b))
	}
	return be.Uint16(b), b[4:length], b[length:], nil
}

// DecodeActions decodes a list of actions, as a group's bucket or a packet-out
// has them.
func DecodeActions(b []byte) ([]Action, error) {
	actions, err := decodeActions(b)
	if err != nil {
		return nil, fmt.Errorf("decode actions: %w", err)
	}
	return actions, nil
}

func decodeActions(b []byte) ([]Action, error) {
	var actions []Action
	for len(b) > 0 {
		typ, body, rest, err := nextTLV(b)
		if err != nil {
			return nil, fmt.Errorf("action %d: %w", len(actions)+1, err)
		}
		a, err := decodeAction(typ, body)
		if err != nil {
			return nil, fmt.Errorf("action %d: %w", len(actions)+1, err)
		}
		actions = append(actions, a)
		b = rest
	}
	return actions, nil
}

func decodeAction(typ uint16, b []byte) (Action, error) {
	switch {
	case typ == actionOutput && len(b) == 12:
		port, maxLen := be.Uint32(b), be.Uint16(b[4:])
		if port == PortController {
			return ToController{MaxLen: maxLen}, nil
		}
		return Output{Port: port}, nil
	case typ == actionGroup && len(b) == 4:
		return ToGroup{ID: be.Uint32(b)}, nil
	case typ == actionDecTTL && len(b) == 4:
		return DecTTL{}, nil
	case typ == actionPushVLAN && len(b) == 4 && be.Uint16(b) == tpid8021Q:
		return PushVLAN{}, nil
	case typ == actionPopVLAN && len(b) == 4:
		return PopVLAN{}, nil
	case typ == actionSetField:
		return decodeSetField(b)
	case typ == actionExperimenter && len(b) >= 12 && be.Uint32(b) == niciraExperimenter:
		return decodeNicira(be.Uint16(b[4:]), b[6:])
	}
	return nil, fmt.Errorf("unknown action %d of %d bytes", typ, len(b))
}

func decodeSetField(b []byte) (Action, error) {
	o, rest, err := nextOXM(b)
	if err != nil {
		return nil, err
	}
	v, err := o.fieldValue()
	if err != nil {
		return nil, err
	}
	if o.hasMask || len(rest) >= 8 || !allZero(rest) {
		return nil, fmt.Errorf("set_field of %v with a mask or more", v.Field)
	}
	return SetField{v}, nil
}

func decodeNicira(subtype uint16, b []byte) (Action, error) {
	switch {
	case subtype == nxLoad && len(b) == 14:
		dst, err := fieldOfHeader(b[2:])
		if err != nil {
			return nil, err
		}
		ofs, n := int(be.Uint16(b)>>6), int(be.Uint16(b)&0x3f)+1
		return Load{Value: be.Uint64(b[6:]), Dst: dst, Ofs: ofs, NBits: n}, nil
	case subtype == nxMove && len(b) == 14:
		src, err := fieldOfHeader(b[6:])
		if err != nil {
			return nil, err
		}
		dst, err := fieldOfHeader(b[10:])
		if err != nil {
			return nil, err
		}
		n, srcOfs, dstOfs := int(be.Uint16(b)), int(be.Uint16(b[2:])), int(be.Uint16(b[4:]))
		return Move{Src: src, SrcOfs: srcOfs, Dst: dst, DstOfs: dstOfs, NBits: n}, nil
	case subtype == nxResubmitTable && len(b) == 6 && be.Uint16(b) == nxInPort:
		return Resubmit{Table: b[2]}, nil
	case subtype == nxCheckPktLarger && len(b) == 14:
		dst, err := fieldOfHeader(b[4:])
		if err != nil {
			return nil, err
		}
		return CheckPktLarger{Size: be.Uint16(b), Dst: dst, Bit: int(be.Uint16(b[2:]))}, nil
	case subtype == nxCT && len(b) >= ctHead:
		return decodeCT(b)
	case subtype == nxCTClear && len(b) == 6:
		return CTClear{}, nil
	case subtype == nxConjunction && len(b) == 6:
		c := Conjunction{ID: be.Uint32(b[2:]), Clause: b[0] + 1, Clauses: b[1]}
		return c, c.check()
	}
	return nil, fmt.Errorf("unknown Nicira action %d of %d bytes", subtype, len(b))
}

// fieldOfHeader is the field that a four-byte OXM header names.
func fieldOfHeader(b []byte) (Field, error) {
	f, ok := byWire[oxmID{be.Uint16(b), b[2] >> 1}]
	if !ok || b[2]&1 != 0 || int(b[3]) != f.info().bytes {
		return 0, fmt.Errorf("unknown field %x", b[:4])
	}
	return f, nil
}
