package openflow

import (
	"fmt"
	"strconv"
)

// ActionsString is actions as ovs-ofctl prints them, "drop" when there are none.
func ActionsString(actions []Action) string { return endActions(appendActions(nil, actions), 0) }

// appendActions prints each action, followed by a comma.
func appendActions(b []byte, actions []Action) []byte {
	for _, a := range actions {
		b = append(appendActionText(b, a), ',')
	}
	return b
}

func appendActionText(b []byte, a Action) []byte {
	switch a := a.(type) {
	case Output:
		if a.Port < maxPort {
			b = append(b, "output:"...)
		}
		return append(b, portName(a.Port)...)
	case ToController:
		return strconv.AppendUint(append(b, "CONTROLLER:"...), uint64(a.MaxLen), 10)
	case SetField:
		return appendSetFieldText(b, a)
	case Load:
		return appendLoad(b, a)
	case Move:
		b = appendSubfield(append(b, "move:"...), a.Src, a.SrcOfs, a.NBits)
		return appendSubfield(append(b, "->"...), a.Dst, a.DstOfs, a.NBits)
	case Resubmit:
		b = strconv.AppendUint(append(b, "resubmit(,"...), uint64(a.Table), 10)
		return append(b, ')')
	case ToGroup:
		return strconv.AppendUint(append(b, "group:"...), uint64(a.ID), 10)
	case DecTTL:
		return append(b, "dec_ttl"...)
	case PushVLAN:
		return append(b, "push_vlan:0x8100"...)
	case PopVLAN:
		return append(b, "pop_vlan"...)
	case CheckPktLarger:
		b = strconv.AppendUint(append(b, "check_pkt_larger("...), uint64(a.Size), 10)
		return appendSubfield(append(b, ")->"...), a.Dst, a.Bit, 1)
	case CT:
		return appendCT(b, a)
	case CTClear:
		return append(b, "ct_clear"...)
	case Conjunction:
		return fmt.Appendf(b, "conjunction(%d,%d/%d)", a.ID, a.Clause, a.Clauses)
	}
	return append(b, "unknown"...)
}

func appendSetFieldText(b []byte, a SetField) []byte {
	if a.IsExact() {
		return appendWhole(b, a)
	}
	loads := a.loads()
	if len(loads) == 0 {
		return appendWhole(b, a)
	}
	for i, l := range loads {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendLoad(b, l)
	}
	return b
}

func appendWhole(b []byte, a SetField) []byte {
	b = appendFieldValue(append(b, "set_field:"...), &a.FieldValue)
	return append(append(b, "->"...), a.Field.info().name...)
}

func appendFieldValue(b []byte, v *FieldValue) []byte {
	switch v.Field.info().format {
	case formatDecimal:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case formatPort:
		return append(b, portName(uint32(v.Uint64()))...)
	case formatMAC:
		return appendMAC(b, v.value())
	case formatIPv4, formatIPv6:
		return appendAddr(b, v.value())
	}
	return appendHex(b, v)
}

func appendLoad(b []byte, a Load) []byte {
	b = appendC(append(b, "load:"...), a.Value)
	return appendSubfield(append(b, "->"...), a.Dst, a.Ofs, a.NBits)
}

// appendSubfield prints "FIELD[]" for all of it, "FIELD[3]", or "FIELD[0..7]".
func appendSubfield(b []byte, f Field, ofs, n int) []byte {
	b = append(append(b, f.info().nxmName...), '[')
	switch {
	case ofs == 0 && n == f.Bits():
	case n == 1:
		b = strconv.AppendInt(b, int64(ofs), 10)
	default:
		b = strconv.AppendInt(b, int64(ofs), 10)
		b = strconv.AppendInt(append(b, ".."...), int64(ofs+n-1), 10)
	}
	return append(b, ']')
}
