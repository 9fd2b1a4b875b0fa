package openflow

import (
	"errors"
	"fmt"

	of "github.com/contiv/libOpenflow/openflow13"
)

// zoneBits is the width of a zone.
const zoneBits = 16

// ctInvalid is the bit inv of ct_state.
const ctInvalid = 1 << 4

func encodeCT(a CT, match canonical) (of.Action, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	if match != nil {
		if err := a.checkMatch(match); err != nil {
			return nil, err
		}
	}
	ct := of.NewNXActionConnTrack().ZoneImm(a.Zone)
	if a.ZoneField != 0 {
		if err := checkReadable(a.ZoneField, match); err != nil {
			return nil, err
		}
		if err := checkBits(a.ZoneField, a.ZoneOfs, zoneBits, zoneBits); err != nil {
			return nil, err
		}
		ct.ZoneSrc = a.ZoneField.header().MarshalHeader()
		ct.ZoneOfsNbits = uint16(a.ZoneOfs<<6 | (zoneBits - 1))
	}
	if a.Commit {
		ct.Commit()
	}
	if a.Force {
		ct.Force()
	}
	if a.Table != 0 {
		ct.Table(a.Table)
	}
	if a.NAT.Kind != NATNone {
		ct.AddAction(encodeNAT(a.NAT.single()))
	}
	for _, m := range a.execActions() {
		switch m := m.(type) {
		case SetField:
			ct.AddAction(of.NewActionSetField(m.matchField()))
		case Load:
			ct.AddAction(regLoad(m))
		case Move:
			if err := checkReadable(m.Src, match); err != nil {
				return nil, err
			}
			ct.AddAction(regMove(m))
		}
	}
	return ct, nil
}

// check refuses what does not go together.
func (a CT) check() error {
	switch {
	case a.Force && !a.Commit:
		return errors.New("ct with force and without commit")
	case a.Table == tableAll:
		return fmt.Errorf("ct to table %d", a.Table)
	case a.ZoneField != 0 && a.Zone != 0:
		return fmt.Errorf("ct with the zones %d and %v", a.Zone, a.ZoneField)
	case a.ZoneField == 0 && a.ZoneOfs != 0:
		return errors.New("ct with bits of no field as its zone")
	case a.Mark.Field != 0 && a.Mark.Field != CTMark:
		return fmt.Errorf("ct sets %v instead of ct_mark", a.Mark.Field)
	case a.Mark.Field != 0 && len(a.markActions()) == 0:
		return errors.New("ct sets no bit of ct_mark")
	case a.Mark.Field != 0 && !a.Commit:
		return errors.New("ct sets ct_mark without commit")
	case a.Label[0] == (Move{}) && a.Label[1] != (Move{}), a.Label[1] == (Move{}) && a.Label[2] != (Move{}):
		return errors.New("ct copies nothing first, and then something, to ct_label")
	case a.Label[0] != (Move{}) && !a.Commit:
		return errors.New("ct sets ct_label without commit")
	case a.NAT.Kind > NATKnown && !a.Commit:
		return errors.New("nat to an address without commit")
	}
	for _, m := range a.Label {
		if err := m.checkLabel(); err != nil {
			return err
		}
	}
	return a.NAT.check()
}

// checkLabel says whether a move can be one within a ct.
func (m Move) checkLabel() error {
	switch {
	case m == Move{}:
		return nil
	case !m.Src.valid():
		return fmt.Errorf("unknown field %d", m.Src)
	case m.Dst != CTLabel:
		return fmt.Errorf("ct copies to %v instead of ct_label", m.Dst)
	}
	if err := checkBits(m.Dst, m.DstOfs, m.NBits, 128); err != nil {
		return err
	}
	return checkBits(m.Src, m.SrcOfs, m.NBits, 128)
}

func (n NAT) check() error {
	if n.Kind > NATDest {
		return fmt.Errorf("unknown kind of nat %d", n.Kind)
	}
	if n.Kind <= NATKnown {
		if n != (NAT{Kind: n.Kind}) {
			return errors.New("nat with an address or port must be of a source or destination")
		}
		return nil
	}
	switch {
	case !n.Min.IsValid() || n.Min.IsUnspecified():
		return errors.New("nat to no address")
	case n.Min.Zone() != "" || n.Max.Zone() != "":
		return fmt.Errorf("nat to an address with a zone, %v", n.Min)
	case n.Max.IsValid() && n.Max.BitLen() != n.Min.BitLen(), n.Max.IsValid() && n.Max.Less(n.Min):
		return fmt.Errorf("nat to addresses from %v to %v", n.Min, n.Max)
	case n.PortMax != 0 && (n.PortMin == 0 || n.PortMax < n.PortMin):
		return fmt.Errorf("nat to ports from %d to %d", n.PortMin, n.PortMax)
	}
	return nil
}

// checkMatch refuses what Open vSwitch takes no such packet through.
func (a CT) checkMatch(match canonical) error {
	if want := match.missing(needIP); want != "" {
		return fmt.Errorf("ct needs a match on %s", want)
	}
	if state := match.find(CTState); a.Commit && state != nil && state.Uint64()&ctInvalid != 0 {
		return errors.New("ct with commit of packets with ct_state=+inv")
	}
	if a.NAT.Kind <= NATKnown {
		return nil
	}
	need := needIPv6
	if a.NAT.Min.Is4() {
		need = needIPv4
	}
	if want := match.missing(need); want != "" {
		return fmt.Errorf("nat to %v needs a match on %s", a.NAT.Min, want)
	}
	return nil
}

// Flags of a NAT and of what its range has (nicira-ext.h: NX_NAT_F, NX_NAT_RANGE).
const (
	natSource = 1 << 0
	natDest   = 1 << 1

	natIPv4Min = 1 << 0
	natIPv4Max = 1 << 1
	natIPv6Min = 1 << 2
	natIPv6Max = 1 << 3
	natPortMin = 1 << 4
	natPortMax = 1 << 5
)

// encodeNAT is ours because libOpenflow's panics when there is one port.
func encodeNAT(n NAT) of.Action {
	var flags, present uint16
	switch n.Kind {
	case NATSource:
		flags = natSource
	case NATDest:
		flags = natDest
	}
	first, last := uint16(natIPv4Min), uint16(natIPv4Max)
	if n.Min.Is6() {
		first, last = natIPv6Min, natIPv6Max
	}
	var addrs []byte
	if n.Min.IsValid() {
		present |= first
		addrs = append(addrs, n.Min.AsSlice()...)
	}
	if n.Max.IsValid() {
		present |= last
		addrs = append(addrs, n.Max.AsSlice()...)
	}
	if n.PortMin != 0 {
		present |= natPortMin
		addrs = be.AppendUint16(addrs, n.PortMin)
	}
	if n.PortMax != 0 {
		present |= natPortMax
		addrs = be.AppendUint16(addrs, n.PortMax)
	}
	body := be.AppendUint16([]byte{0, 0}, flags)
	return niciraAction(nxNAT, append(be.AppendUint16(body, present), addrs...))
}
