package openflow

import "strconv"

// matchText prints a match as ovs-ofctl does: in its order, with its names, each
// field followed by a comma.
type matchText struct {
	b      []byte
	fields [numFields]*FieldValue
}

func appendMatch(b []byte, m Match) []byte {
	c := m.lenient()
	t := matchText{b: b}
	for i := range c {
		t.fields[c[i].Field] = &c[i]
	}
	t.pipeline()
	protocol, ipProto := t.protocol()
	for f := Reg0; f <= Reg15; f++ {
		t.hex(f, f.String())
	}
	t.tunnelAndPort()
	t.vlan()
	t.mac(EthSrc, "dl_src")
	t.mac(EthDst, "dl_dst")
	if v := t.fields[EthType]; v != nil && !protocol {
		t.put("dl_type=0x", pad(strconv.FormatUint(v.Uint64(), 16), 4))
	}
	t.addresses()
	if !ipProto {
		t.decimal(IPProto, "nw_proto")
	}
	t.decimal(ARPOp, "arp_op")
	t.mac(ARPSHA, "arp_sha")
	t.mac(ARPTHA, "arp_tha")
	t.ipHeader()
	t.transport()
	return t.b
}

// lenient is canonical without errors: of a field that is named twice, the
// second is left out.
func (m Match) lenient() canonical {
	c := make(canonical, 0, len(m))
	for i := range m {
		if more, err := m[i : i+1].canonical(c); err == nil {
			c = more
		}
	}
	return c
}

func (t *matchText) pipeline() {
	t.hex(PktMark, "pkt_mark")
	t.decimal(ConjID, "conj_id")
	if v := t.fields[CTState]; v != nil {
		t.b = append(t.b, "ct_state="...)
		t.b = appendFlags(t.b, v.Uint64(), lastUint(v.mask()), 0xff, ctStateNames)
		t.b = append(t.b, ',')
	}
	t.decimal(CTZone, "ct_zone")
	t.hex(CTMark, "ct_mark")
	if v := t.fields[CTLabel]; v != nil {
		t.b = append(t.b, "ct_label="...)
		t.b = appendHex(t.b, v)
		t.b = append(t.b, ',')
	}
}

// protocol prints the keyword that stands for eth_type and perhaps nw_proto,
// and says which of the two it stands for.
func (t *matchText) protocol() (ethType, ipProto bool) {
	eth := t.fields[EthType]
	if eth == nil {
		return false, false
	}
	keyword, byProto := "", map[uint64]string(nil)
	switch eth.Uint64() {
	case ethTypeIPv4:
		keyword, byProto = "ip", ipv4Keywords
	case ethTypeIPv6:
		keyword, byProto = "ipv6", ipv6Keywords
	case ethTypeARP:
		keyword = "arp"
	case ethTypeRARP:
		keyword = "rarp"
	case 0x8847:
		keyword = "mpls"
	case 0x8848:
		keyword = "mplsm"
	default:
		return false, false
	}
	if proto := t.fields[IPProto]; proto != nil && byProto[proto.Uint64()] != "" {
		keyword, ipProto = byProto[proto.Uint64()], true
	}
	t.put(keyword)
	return true, ipProto
}

var (
	ipv4Keywords = map[uint64]string{ipProtoICMP: "icmp", ipProtoTCP: "tcp", ipProtoUDP: "udp", ipProtoSCTP: "sctp"}
	ipv6Keywords = map[uint64]string{ipProtoICMPv6: "icmp6", ipProtoTCP: "tcp6", ipProtoUDP: "udp6", ipProtoSCTP: "sctp6"}
)

func (t *matchText) tunnelAndPort() {
	t.hex(TunID, "tun_id")
	t.ipv4(TunIPv4Src, "tun_src")
	t.ipv4(TunIPv4Dst, "tun_dst")
	t.ipv6(TunIPv6Src, "tun_ipv6_src")
	t.ipv6(TunIPv6Dst, "tun_ipv6_dst")
	t.hex(Metadata, "metadata")
	if v := t.fields[InPort]; v != nil {
		t.put("in_port=", portName(uint32(v.Uint64())))
	}
}

// vlan prints vlan_vid and vlan_pcp, which Open vSwitch keeps as the TCI of the
// 802.1Q header.
func (t *matchText) vlan() {
	var tci, mask uint64
	if v := t.fields[VLANVID]; v != nil {
		tci, mask = v.Uint64(), lastUint(v.mask())
	}
	if v := t.fields[VLANPCP]; v != nil {
		tci |= v.Uint64() << 13
		mask |= 7 << 13
	}
	const cfi, allVID, allPCP = 0x1000, 0x0fff, 0xe000
	vid, pcp := mask&allVID, mask&allPCP
	switch {
	case mask == 0:
	case mask&tci&cfi != 0 && (vid == 0 || vid == allVID) && (vid|pcp) != 0:
		if vid != 0 {
			t.put("dl_vlan=", strconv.FormatUint(tci&allVID, 10))
		}
		if pcp != 0 {
			t.put("dl_vlan_pcp=", strconv.FormatUint(tci>>13, 10))
		}
	case mask == 0xffff:
		t.put("vlan_tci=0x", pad(strconv.FormatUint(tci, 16), 4))
	default:
		t.put("vlan_tci=0x", pad(strconv.FormatUint(tci, 16), 4), "/0x", pad(strconv.FormatUint(mask, 16), 4))
	}
}

func (t *matchText) addresses() {
	t.ipv6(IPv6Src, "ipv6_src")
	t.ipv6(IPv6Dst, "ipv6_dst")
	if v := t.fields[IPv6Label]; v != nil {
		text := "0x" + pad(strconv.FormatUint(v.Uint64(), 16), 5)
		if !v.IsExact() {
			text += "/0x" + pad(strconv.FormatUint(lastUint(v.mask()), 16), 5)
		}
		t.put("ipv6_label=", text)
	}
	t.ipv4(ARPSPA, "arp_spa")
	t.ipv4(ARPTPA, "arp_tpa")
	t.ipv4(IPv4Src, "nw_src")
	t.ipv4(IPv4Dst, "nw_dst")
}

func (t *matchText) ipHeader() {
	if v := t.fields[IPDSCP]; v != nil {
		t.put("nw_tos=", strconv.FormatUint(v.Uint64()<<2, 10))
	}
	t.decimal(IPECN, "nw_ecn")
	t.decimal(IPTTL, "nw_ttl")
	if v := t.fields[IPFrag]; v != nil {
		t.put("nw_frag=", fragName(v))
	}
}

func (t *matchText) transport() {
	t.decimal(ICMPv4Type, "icmp_type")
	t.decimal(ICMPv4Code, "icmp_code")
	t.decimal(ICMPv6Type, "icmp_type")
	t.decimal(ICMPv6Code, "icmp_code")
	t.ipv6(NDTarget, "nd_target")
	t.mac(NDSLL, "nd_sll")
	t.mac(NDTLL, "nd_tll")
	t.decimal(NDReserved, "nd_reserved")
	t.decimal(NDOptionsType, "nd_options_type")
	for _, f := range []Field{TCPSrc, UDPSrc, SCTPSrc} {
		t.decimal(f, "tp_src")
	}
	for _, f := range []Field{TCPDst, UDPDst, SCTPDst} {
		t.decimal(f, "tp_dst")
	}
	if v := t.fields[TCPFlags]; v != nil {
		t.b = append(t.b, "tcp_flags="...)
		t.b = appendFlags(t.b, v.Uint64(), lastUint(v.mask()), 0xfff, tcpFlagNames)
		t.b = append(t.b, ',')
	}
}

func (t *matchText) put(parts ...string) {
	for _, p := range parts {
		t.b = append(t.b, p...)
	}
	t.b = append(t.b, ',')
}

// hex prints as C's %#x does: zero without 0x.
func (t *matchText) hex(f Field, name string) {
	v := t.fields[f]
	if v == nil {
		return
	}
	t.b = append(append(t.b, name...), '=')
	t.b = appendC(t.b, v.Uint64())
	if !v.IsExact() {
		t.b = appendC(append(t.b, '/'), lastUint(v.mask()))
	}
	t.b = append(t.b, ',')
}

func (t *matchText) decimal(f Field, name string) {
	v := t.fields[f]
	if v == nil {
		return
	}
	t.b = append(append(t.b, name...), '=')
	if v.IsExact() {
		t.b = strconv.AppendUint(t.b, v.Uint64(), 10)
	} else {
		t.b = strconv.AppendUint(append(t.b, "0x"...), v.Uint64(), 16)
		t.b = strconv.AppendUint(append(t.b, "/0x"...), lastUint(v.mask()), 16)
	}
	t.b = append(t.b, ',')
}

func (t *matchText) mac(f Field, name string) {
	if v := t.fields[f]; v != nil {
		t.b = append(append(t.b, name...), '=')
		t.b = append(appendMasked(t.b, v, appendMAC), ',')
	}
}

func (t *matchText) ipv4(f Field, name string) {
	if v := t.fields[f]; v != nil {
		t.b = append(append(t.b, name...), '=')
		t.b = append(appendIP(t.b, v), ',')
	}
}

func (t *matchText) ipv6(f Field, name string) { t.ipv4(f, name) }
