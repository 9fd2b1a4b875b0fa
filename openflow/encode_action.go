package openflow

import (
	"errors"
	"fmt"

	of "github.com/contiv/libOpenflow/openflow13"
)

// encodeActions gives the actions in wire form, and the sum of their lengths.
// A nil match means that nothing is known of the packet, as in a group or a
// packet-out: prerequisites are then left to the switch.
func encodeActions(actions []Action, match canonical) ([]of.Action, int, error) {
	encoded := make([]of.Action, 0, len(actions))
	size := 0
	for i, a := range actions {
		var err error
		if encoded, err = appendAction(encoded, a, match); err != nil {
			return nil, 0, fmt.Errorf("action %d: %w", i+1, err)
		}
		match = match.after(a)
	}
	for _, a := range encoded {
		size += int(a.Len())
	}
	return encoded, size, nil
}

func appendAction(dst []of.Action, a Action, match canonical) ([]of.Action, error) {
	switch a := a.(type) {
	case Output:
		return append(dst, output(a.Port, 0)), checkOutput(a.Port)
	case ToController:
		return append(dst, output(PortController, a.MaxLen)), nil
	case SetField:
		return appendSetField(dst, a, match)
	case Load:
		load, err := encodeLoad(a, match)
		return append(dst, load), err
	case Move:
		move, err := encodeMove(a, match)
		return append(dst, move), err
	case Resubmit:
		if a.Table == tableAll {
			return nil, fmt.Errorf("resubmit to table %d", a.Table)
		}
		return append(dst, of.NewNXActionResubmitTableAction(of.OFPP_IN_PORT, a.Table)), nil
	case ToGroup:
		return append(dst, of.NewActionGroup(a.ID)), nil
	case DecTTL:
		if match != nil && match.missing(needIP) != "" {
			return nil, fmt.Errorf("dec_ttl needs a match on %s", match.missing(needIP))
		}
		return append(dst, of.NewActionDecNwTtl()), nil
	case PushVLAN:
		if match != nil && match.missing(needVLAN) == "" {
			return nil, errors.New("push_vlan of a second tag")
		}
		return append(dst, of.NewActionPushVlan(tpid8021Q)), nil
	case PopVLAN:
		if match != nil && match.missing(needVLAN) != "" {
			return nil, fmt.Errorf("pop_vlan needs a match on %s", match.missing(needVLAN))
		}
		return append(dst, of.NewActionPopVlan()), nil
	case CheckPktLarger:
		check, err := encodeCheckPktLarger(a, match)
		return append(dst, check), err
	case CT:
		ct, err := encodeCT(a, match)
		return append(dst, ct), err
	case CTClear:
		return append(dst, niciraAction(nxCTClear, nil)), nil
	case Conjunction:
		return append(dst, niciraAction(nxConjunction, be.AppendUint32([]byte{a.Clause - 1, a.Clauses}, a.ID))), a.check()
	}
	return nil, fmt.Errorf("unknown action %T", a)
}

func output(port uint32, maxLen uint16) of.Action {
	a := of.NewActionOutput(port)
	a.MaxLen = maxLen
	return a
}

func checkOutput(port uint32) error {
	switch {
	case port == PortController:
		return fmt.Errorf("output to the controller has a length: use ToController")
	case port == 0, port == PortAny, !validPort(port):
		return fmt.Errorf("output to %d, which is no port", port)
	}
	return nil
}

// appendSetField encodes set_field. OpenFlow 1.3 has none with a mask: Open
// vSwitch loads each run of bits instead, and so does this.
func appendSetField(dst []of.Action, a SetField, match canonical) ([]of.Action, error) {
	if err := checkSettable(a.Field, match); err != nil {
		return nil, err
	}
	if a.Field == InPort {
		return nil, errors.New("in_port is set by a load, Open vSwitch takes no set_field of it")
	}
	if err := a.checkValue(); err != nil {
		return nil, err
	}
	if a.Field == VLANVID && a.IsExact() && a.Value[0]&0x10 == 0 {
		return nil, fmt.Errorf("vlan_vid %d lacks the bit 0x1000", a.Uint64())
	}
	if a.IsExact() {
		return append(dst, of.NewActionSetField(a.matchField())), nil
	}
	loads := a.loads()
	if len(loads) == 0 {
		return nil, fmt.Errorf("set_field of no bit of %v", a.Field)
	}
	for _, l := range loads {
		dst = append(dst, regLoad(l))
	}
	return dst, nil
}

// loads are the loads that set the bits of the mask, least significant first.
func (v FieldValue) loads() []Load {
	var loads []Load
	size := v.Field.Bits()
	bit := func(b *[16]byte, i int) uint64 {
		return uint64(b[v.Field.info().bytes-1-i/8]>>(i%8)) & 1
	}
	for i := 0; i < size; i++ {
		if bit(&v.Mask, i) == 0 {
			continue
		}
		l := Load{Dst: v.Field, Ofs: i}
		for ; i < size && l.NBits < 64 && bit(&v.Mask, i) == 1; i++ {
			l.Value |= bit(&v.Value, i) << l.NBits
			l.NBits++
		}
		i--
		loads = append(loads, l)
	}
	return loads
}

func checkSettable(f Field, match canonical) error {
	if !f.valid() {
		return fmt.Errorf("unknown field %d", f)
	}
	if f.info().readOnly {
		return fmt.Errorf("%v cannot be set", f)
	}
	if f == VLANVID && match != nil && match.missing(needVLAN) != "" {
		return fmt.Errorf("%v needs a match on %s", f, match.missing(needVLAN))
	}
	return checkReadable(f, match)
}

func checkReadable(f Field, match canonical) error {
	if !f.valid() {
		return fmt.Errorf("unknown field %d", f)
	}
	if match == nil {
		return nil
	}
	return match.allows(f)
}

func checkBits(f Field, ofs, n, limit int) error {
	if n < 1 || n > limit || ofs < 0 || ofs+n > f.Bits() {
		return fmt.Errorf("%v has no %d bits at bit %d", f, n, ofs)
	}
	return nil
}

// checkDst says whether n bits of a field can be set. Of in_port a part cannot: Open
// vSwitch ignores a number that is then no port.
func checkDst(f Field, ofs, n, limit int, match canonical) error {
	if err := checkSettable(f, match); err != nil {
		return err
	}
	if f == InPort && n != f.Bits() {
		return fmt.Errorf("%v is set as a whole", f)
	}
	return checkBits(f, ofs, n, limit)
}

func encodeLoad(a Load, match canonical) (of.Action, error) {
	if err := checkDst(a.Dst, a.Ofs, a.NBits, 64, match); err != nil {
		return nil, err
	}
	if a.Dst == InPort && !validPort(uint32(a.Value)) {
		return nil, fmt.Errorf("in_port %d is no port", a.Value)
	}
	if a.NBits < 64 && a.Value>>a.NBits != 0 {
		return nil, fmt.Errorf("%#x does not fit %d bits of %v", a.Value, a.NBits, a.Dst)
	}
	return regLoad(a), nil
}

func regLoad(a Load) of.Action {
	return of.NewNXActionRegLoad(uint16(a.Ofs<<6|(a.NBits-1)), a.Dst.header(), a.Value)
}

func encodeMove(a Move, match canonical) (of.Action, error) {
	if err := checkReadable(a.Src, match); err != nil {
		return nil, err
	}
	if err := checkDst(a.Dst, a.DstOfs, a.NBits, 128, match); err != nil {
		return nil, err
	}
	if err := checkBits(a.Src, a.SrcOfs, a.NBits, 128); err != nil {
		return nil, err
	}
	return regMove(a), nil
}

func regMove(a Move) of.Action {
	return of.NewNXActionRegMove(uint16(a.NBits), uint16(a.SrcOfs), uint16(a.DstOfs), a.Src.header(), a.Dst.header())
}

func encodeCheckPktLarger(a CheckPktLarger, match canonical) (of.Action, error) {
	if err := checkDst(a.Dst, a.Bit, 1, 1, match); err != nil {
		return nil, err
	}
	body := be.AppendUint16(nil, a.Size)
	body = be.AppendUint16(body, uint16(a.Bit))
	return niciraAction(nxCheckPktLarger, be.AppendUint32(body, a.Dst.header().MarshalHeader())), nil
}

// header is the field as load and move name it.
func (f Field) header() *of.MatchField {
	info := f.info()
	return &of.MatchField{Class: info.nxm.class, Field: info.nxm.field, Length: uint8(info.bytes)}
}
