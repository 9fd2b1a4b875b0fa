package openflow

import "fmt"

// Values that decide which other fields exist.
const (
	ethTypeIPv4 = 0x0800
	ethTypeARP  = 0x0806
	ethTypeRARP = 0x8035
	ethTypeIPv6 = 0x86dd

	ipProtoICMP   = 1
	ipProtoTCP    = 6
	ipProtoUDP    = 17
	ipProtoICMPv6 = 58
	ipProtoSCTP   = 132

	hasTag    = 0x1000 // in vlan_vid
	tpid8021Q = 0x8100

	icmp6Solicit = 135
	icmp6Advert  = 136
)

// canonical is a match as a switch keeps it: fields in wire order, wide
// registers split, empty masks dropped.
type canonical []FieldValue

// Canonical is the match in the form in which Open vSwitch returns it: fields in
// its order, wide registers as four registers, fields with an empty mask left
// out. It fails on a field that is unknown, named twice or cannot be masked.
func (m Match) Canonical() (Match, error) {
	c, err := m.canonical(make(canonical, 0, len(m)))
	return Match(c), err
}

func (m Match) canonical(c canonical) (canonical, error) {
	for i := range m {
		v := m[i]
		if !v.Field.valid() {
			return nil, fmt.Errorf("unknown field %d", v.Field)
		}
		var err error
		if v.Field >= XXReg0 && v.Field <= XXReg3 {
			c, err = c.insertWide(v)
		} else {
			c, err = c.insert(v)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// insertWide splits a 128-bit register into the four that it consists of.
func (c canonical) insertWide(v FieldValue) (canonical, error) {
	first := Reg0 + 4*(v.Field-XXReg0)
	for i := range Field(4) {
		part := FieldValue{Field: first + i}
		copy(part.Value[:4], v.Value[4*i:])
		copy(part.Mask[:4], v.Mask[4*i:])
		var err error
		if c, err = c.insert(part); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// insert puts a field in its place.
func (c canonical) insert(v FieldValue) (canonical, error) {
	full := &fullMasks[v.Field]
	if v.Field == CTState { // Open vSwitch keeps eight of the 32 bits
		full = &ctStateMask
	}
	empty := true
	for i := range full {
		v.Mask[i] &= full[i]
		v.Value[i] &= v.Mask[i]
		empty = empty && v.Mask[i] == 0
	}
	if empty {
		return c, nil
	}
	if v.Field.info().exact && v.Mask != *full {
		return nil, fmt.Errorf("%v cannot be masked", v.Field)
	}
	rank := wireRank[v.Field]
	at := len(c)
	for at > 0 && wireRank[c[at-1].Field] >= rank {
		at--
		if c[at].Field == v.Field {
			return nil, fmt.Errorf("%v is matched twice", v.Field)
		}
	}
	c = append(c, FieldValue{})
	copy(c[at+1:], c[at:])
	c[at] = v
	return c, nil
}

var ctStateMask = [16]byte{3: 0xff}

func (c canonical) find(f Field) *FieldValue {
	for i := range c {
		if c[i].Field == f {
			return &c[i]
		}
	}
	return nil
}

// is says whether the match fixes f to v.
func (c canonical) is(f Field, v uint64) bool {
	fv := c.find(f)
	return fv != nil && fv.IsExact() && fv.Uint64() == v
}

// check says whether each field has what it needs and a value that can be.
func (c canonical) check() error {
	for i := range c {
		if err := c.allows(c[i].Field); err != nil {
			return err
		}
		if err := c[i].checkValue(); err != nil {
			return err
		}
	}
	return nil
}

// checkValue refuses the values that Open vSwitch has no room for.
func (v *FieldValue) checkValue() error {
	switch v.Field {
	case InPort:
		if p := uint32(v.Uint64()); !validPort(p) {
			return fmt.Errorf("in_port %d is no port", p)
		}
	case IPFrag:
		if v.IsExact() && v.Value[0] == 2 {
			return fmt.Errorf("ip_frag %d is a later fragment but none", v.Value[0])
		}
	case ARPOp:
		if op := v.Uint64(); op > 0xff {
			return fmt.Errorf("arp_op %d is more than 255", op)
		}
	}
	return nil
}

// maxPort is one more than the highest number of an ordinary port: Open vSwitch
// has 16 bits for it, and reserved ports at the end of the 32-bit numbers.
const maxPort = 0xff00

func validPort(p uint32) bool { return p < maxPort || p >= PortInPort }

// allows says whether a packet that matches is known to have the field.
func (c canonical) allows(f Field) error {
	need := f.info().need
	if need == needNothing {
		return nil
	}
	if want := c.missing(need); want != "" {
		return fmt.Errorf("%v needs a match on %s", f, want)
	}
	return nil
}

// missing names what a match lacks to meet a prerequisite; empty if nothing.
func (c canonical) missing(need prereq) string {
	v4, v6 := c.is(EthType, ethTypeIPv4), c.is(EthType, ethTypeIPv6)
	switch need {
	case needVLAN:
		vid := c.find(VLANVID)
		return unless(vid != nil && vid.Value[0]&0x10 != 0, "vlan_vid with a tag")
	case needIP:
		return unless(v4 || v6, "eth_type IPv4 or IPv6")
	case needIPv4:
		return unless(v4, "eth_type IPv4")
	case needIPv6:
		return unless(v6, "eth_type IPv6")
	case needARP:
		return unless(c.is(EthType, ethTypeARP) || c.is(EthType, ethTypeRARP), "eth_type ARP")
	case needTCP:
		return unless((v4 || v6) && c.is(IPProto, ipProtoTCP) && !c.laterFragment(), "eth_type IP, nw_proto TCP and no later fragment")
	case needUDP:
		return unless((v4 || v6) && c.is(IPProto, ipProtoUDP) && !c.laterFragment(), "eth_type IP, nw_proto UDP and no later fragment")
	case needSCTP:
		return unless((v4 || v6) && c.is(IPProto, ipProtoSCTP) && !c.laterFragment(), "eth_type IP, nw_proto SCTP and no later fragment")
	case needICMPv4:
		return unless(v4 && c.is(IPProto, ipProtoICMP), "eth_type IPv4 and nw_proto ICMP")
	case needICMPv6:
		return unless(v6 && c.is(IPProto, ipProtoICMPv6), "eth_type IPv6 and nw_proto ICMPv6")
	case needND:
		return unless(c.isND(icmp6Solicit) || c.isND(icmp6Advert), "icmpv6_type 135 or 136")
	case needNDSolicit:
		return unless(c.isND(icmp6Solicit), "icmpv6_type 135")
	case needNDAdvert:
		return unless(c.isND(icmp6Advert), "icmpv6_type 136")
	}
	return ""
}

// after is what is known of a packet after an action: whether it has a tag.
func (c canonical) after(a Action) canonical {
	_, push := a.(PushVLAN)
	_, pop := a.(PopVLAN)
	if c == nil || !push && !pop {
		return c
	}
	known := make(canonical, 0, len(c)+1)
	for i := range c {
		if c[i].Field != VLANVID {
			known = append(known, c[i])
		}
	}
	if push {
		known = append(known, VLANVID.UintMask(hasTag, hasTag))
	}
	return known
}

func (c canonical) isND(typ uint64) bool {
	code := c.find(ICMPv6Code)
	return c.is(EthType, ethTypeIPv6) && c.is(IPProto, ipProtoICMPv6) && c.is(ICMPv6Type, typ) &&
		(code == nil || code.Uint64() == 0)
}

// laterFragment says whether the match is on fragments that lack a transport header.
func (c canonical) laterFragment() bool {
	frag := c.find(IPFrag)
	return frag != nil && frag.Value[0]&2 != 0
}

func unless(ok bool, want string) string {
	if ok {
		return ""
	}
	return want
}
