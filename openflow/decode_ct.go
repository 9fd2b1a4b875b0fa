package openflow

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Lengths of a ct and a nat action between the subtype and what follows.
const (
	ctHead  = 14
	natHead = 6
)

// Flags of a ct action (nicira-ext.h: NX_CT_F).
const (
	ctCommit = 1 << 0
	ctForce  = 1 << 1
)

func decodeCT(b []byte) (Action, error) {
	flags, zoneSrc, zone, table, alg := be.Uint16(b), b[2:6], be.Uint16(b[6:]), b[8], be.Uint16(b[12:])
	if flags&^(ctCommit|ctForce) != 0 || table == 0 || alg != 0 {
		return nil, fmt.Errorf("ct with flags %#x, table %d, helper %d", flags, table, alg)
	}
	a := CT{Commit: flags&ctCommit != 0, Force: flags&ctForce != 0, Table: table}
	if table == tableAll {
		a.Table = 0
	}
	if allZero(zoneSrc) {
		a.Zone = zone
	} else {
		var err error
		if a.ZoneField, err = fieldOfHeader(zoneSrc); err != nil {
			return nil, err
		}
		if a.ZoneOfs = int(zone >> 6); zone&0x3f != zoneBits-1 {
			return nil, fmt.Errorf("ct with a zone of %d bits", zone&0x3f+1)
		}
	}
	if err := a.decodeInner(b[ctHead:]); err != nil {
		return nil, fmt.Errorf("ct: %w", err)
	}
	return a, nil
}

// decodeInner decodes the actions within a ct: a nat, then what sets ct_mark and ct_label.
func (a *CT) decodeInner(b []byte) error {
	var exec []Action
	for len(b) > 0 {
		typ, body, rest, err := nextTLV(b)
		if err != nil {
			return err
		}
		b = rest
		nicira := typ == actionExperimenter && len(body) >= 12 && be.Uint32(body) == niciraExperimenter
		switch {
		case nicira && be.Uint16(body[4:]) == nxNAT && a.NAT.Kind == NATNone && exec == nil:
			if a.NAT, err = decodeNAT(body[6:]); err != nil {
				return err
			}
			continue
		case typ != actionSetField && (!nicira || be.Uint16(body[4:]) != nxLoad && be.Uint16(body[4:]) != nxMove):
			return fmt.Errorf("unknown action %d within it", typ)
		}
		m, err := decodeAction(typ, body)
		if err != nil {
			return err
		}
		exec = append(exec, m)
	}
	a.Mark = markOf(exec)
	a.Label = labelOf(exec)
	if !slices.Equal(a.execActions(), exec) {
		return errors.New("sets something else than ct_mark and ct_label")
	}
	for _, m := range a.Label {
		if err := m.checkLabel(); err != nil {
			return err
		}
	}
	return nil
}

// labelOf are the first moves of the actions.
func labelOf(actions []Action) (label [3]Move) {
	n := 0
	for _, a := range actions {
		if m, ok := a.(Move); ok && n < len(label) {
			label[n] = m
			n++
		}
	}
	return label
}

// markOf is the mark that the actions set, if that is what they do.
func markOf(actions []Action) FieldValue {
	var value, mask uint64
	for _, m := range actions {
		switch m := m.(type) {
		case SetField:
			value, mask = m.Uint64(), ^uint64(0)
		case Load:
			value |= m.Value << m.Ofs
			mask |= (1<<m.NBits - 1) << m.Ofs
		}
	}
	if mask == 0 {
		return FieldValue{}
	}
	return CTMark.UintMask(value, mask)
}

func decodeNAT(b []byte) (NAT, error) {
	flags, present, rest := be.Uint16(b[2:]), be.Uint16(b[4:]), b[natHead:]
	n := NAT{Kind: NATKnown}
	switch flags {
	case 0:
	case natSource:
		n.Kind = NATSource
	case natDest:
		n.Kind = NATDest
	default:
		return NAT{}, fmt.Errorf("nat with flags %#x", flags)
	}
	var parts [6][]byte
	for i, size := range []int{4, 4, 16, 16, 2, 2} { // as natIPv4Min and so on count
		if present&(1<<i) == 0 {
			continue
		}
		if len(rest) < size {
			return NAT{}, tooShort("nat", len(b))
		}
		parts[i], rest = rest[:size], rest[size:]
	}
	v4 := present&(natIPv4Min|natIPv4Max) != 0
	if v6 := present&(natIPv6Min|natIPv6Max) != 0; v4 && v6 || present>>len(parts) != 0 || len(rest) >= 8 || !allZero(rest) {
		return NAT{}, fmt.Errorf("nat with a range %#x in %d bytes", present, len(b)-natHead)
	}
	if !v4 {
		parts[0], parts[1] = parts[2], parts[3]
	}
	n.Min, _ = netip.AddrFromSlice(parts[0])
	n.Max, _ = netip.AddrFromSlice(parts[1])
	n.PortMin, n.PortMax = uint16(lastUint(parts[4])), uint16(lastUint(parts[5]))
	if err := n.check(); err != nil {
		return NAT{}, err
	}
	if n != n.single() {
		return NAT{}, errors.New("nat to a range of one")
	}
	return n, nil
}
