package openflow

// oxmID names a field on the wire: the upper 24 bits of an OXM header without
// the has-mask bit (OpenFlow 1.3.5, 7.2.3.2; nicira-ext.h of Open vSwitch).
type oxmID struct {
	class uint16
	field uint8
}

// Classes of field.
const (
	classNXM0         = 0x0000 // NXM_OF
	classNXM1         = 0x0001 // NXM_NX
	classEric         = 0x1000 // ERICOXM_OF
	classBasic        = 0x8000 // OXM_OF
	classExperimenter = 0xffff // four bytes of experimenter id follow the header
)

// onfExperimenter is the experimenter id of the Open Networking Foundation.
const onfExperimenter = 0x4f4e4600

// prereq says what else a flow must match so that it can name a field.
type prereq uint8

const (
	needNothing prereq = iota
	needVLAN
	needIP // IPv4 or IPv6
	needIPv4
	needIPv6
	needARP
	needTCP
	needUDP
	needSCTP
	needICMPv4
	needICMPv6
	needND
	needNDSolicit
	needNDAdvert
)

// format says how ovs-ofctl prints a value in set_field.
type format uint8

const (
	formatHex format = iota
	formatDecimal
	formatPort
	formatMAC
	formatIPv4
	formatIPv6
	formatFrag
	formatCTState
	formatTCPFlags
)

// fieldInfo is what there is to know of a field.
type fieldInfo struct {
	name  string // in set_field
	match oxmID  // in a match and in set_field
	// nxm and nxmName are what load and move use: the NXM form, where there is one.
	nxm         oxmID
	nxmName     string
	bytes, bits int
	need        prereq
	format      format
	exact       bool // cannot be masked
	readOnly    bool // cannot be set (ct_mark and ct_label: only within a ct action)
}

func basic(n uint8) oxmID { return oxmID{classBasic, n} }
func nxm0(n uint8) oxmID  { return oxmID{classNXM0, n} }
func nxm1(n uint8) oxmID  { return oxmID{classNXM1, n} }
func eric(n uint8) oxmID  { return oxmID{classEric, n} }

// fieldTable describes each field (meta-flow.h of Open vSwitch, ovs-fields(7)).
var fieldTable = [numFields]fieldInfo{
	InPort:     {name: "in_port_oxm", match: basic(0), nxm: basic(0), nxmName: "OXM_OF_IN_PORT", bytes: 4, bits: 32, format: formatPort, exact: true},
	Metadata:   {name: "metadata", match: basic(2), nxm: basic(2), nxmName: "OXM_OF_METADATA", bytes: 8, bits: 64},
	TunID:      {name: "tun_id", match: basic(38), nxm: nxm1(16), nxmName: "NXM_NX_TUN_ID", bytes: 8, bits: 64},
	TunIPv4Src: {name: "tun_src", match: nxm1(31), nxm: nxm1(31), nxmName: "NXM_NX_TUN_IPV4_SRC", bytes: 4, bits: 32, format: formatIPv4},
	TunIPv4Dst: {name: "tun_dst", match: nxm1(32), nxm: nxm1(32), nxmName: "NXM_NX_TUN_IPV4_DST", bytes: 4, bits: 32, format: formatIPv4},
	TunIPv6Src: {name: "tun_ipv6_src", match: nxm1(109), nxm: nxm1(109), nxmName: "NXM_NX_TUN_IPV6_SRC", bytes: 16, bits: 128, format: formatIPv6},
	TunIPv6Dst: {name: "tun_ipv6_dst", match: nxm1(110), nxm: nxm1(110), nxmName: "NXM_NX_TUN_IPV6_DST", bytes: 16, bits: 128, format: formatIPv6},

	EthSrc:  {name: "eth_src", match: basic(4), nxm: nxm0(2), nxmName: "NXM_OF_ETH_SRC", bytes: 6, bits: 48, format: formatMAC},
	EthDst:  {name: "eth_dst", match: basic(3), nxm: nxm0(1), nxmName: "NXM_OF_ETH_DST", bytes: 6, bits: 48, format: formatMAC},
	EthType: {name: "eth_type", match: basic(5), nxm: nxm0(3), nxmName: "NXM_OF_ETH_TYPE", bytes: 2, bits: 16, exact: true, readOnly: true},
	VLANVID: {name: "vlan_vid", match: basic(6), nxm: basic(6), nxmName: "OXM_OF_VLAN_VID", bytes: 2, bits: 13, format: formatDecimal},
	VLANPCP: {name: "vlan_pcp", match: basic(7), nxm: basic(7), nxmName: "OXM_OF_VLAN_PCP", bytes: 1, bits: 3, need: needVLAN, format: formatDecimal, exact: true},

	IPProto:   {name: "nw_proto", match: basic(10), nxm: nxm0(6), nxmName: "NXM_OF_IP_PROTO", bytes: 1, bits: 8, need: needIP, format: formatDecimal, exact: true, readOnly: true},
	IPDSCP:    {name: "ip_dscp", match: basic(8), nxm: basic(8), nxmName: "OXM_OF_IP_DSCP", bytes: 1, bits: 6, need: needIP, format: formatDecimal, exact: true},
	IPECN:     {name: "nw_ecn", match: basic(9), nxm: nxm1(28), nxmName: "NXM_NX_IP_ECN", bytes: 1, bits: 2, need: needIP, format: formatDecimal, exact: true},
	IPTTL:     {name: "nw_ttl", match: nxm1(29), nxm: nxm1(29), nxmName: "NXM_NX_IP_TTL", bytes: 1, bits: 8, need: needIP, format: formatDecimal, exact: true},
	IPFrag:    {name: "ip_frag", match: nxm1(26), nxm: nxm1(26), nxmName: "NXM_NX_IP_FRAG", bytes: 1, bits: 2, need: needIP, format: formatFrag, readOnly: true},
	IPv4Src:   {name: "ip_src", match: basic(11), nxm: nxm0(7), nxmName: "NXM_OF_IP_SRC", bytes: 4, bits: 32, need: needIPv4, format: formatIPv4},
	IPv4Dst:   {name: "ip_dst", match: basic(12), nxm: nxm0(8), nxmName: "NXM_OF_IP_DST", bytes: 4, bits: 32, need: needIPv4, format: formatIPv4},
	IPv6Src:   {name: "ipv6_src", match: basic(26), nxm: nxm1(19), nxmName: "NXM_NX_IPV6_SRC", bytes: 16, bits: 128, need: needIPv6, format: formatIPv6},
	IPv6Dst:   {name: "ipv6_dst", match: basic(27), nxm: nxm1(20), nxmName: "NXM_NX_IPV6_DST", bytes: 16, bits: 128, need: needIPv6, format: formatIPv6},
	IPv6Label: {name: "ipv6_label", match: basic(28), nxm: nxm1(27), nxmName: "NXM_NX_IPV6_LABEL", bytes: 4, bits: 20, need: needIPv6},

	TCPSrc:     {name: "tcp_src", match: basic(13), nxm: nxm0(9), nxmName: "NXM_OF_TCP_SRC", bytes: 2, bits: 16, need: needTCP, format: formatDecimal},
	TCPDst:     {name: "tcp_dst", match: basic(14), nxm: nxm0(10), nxmName: "NXM_OF_TCP_DST", bytes: 2, bits: 16, need: needTCP, format: formatDecimal},
	TCPFlags:   {name: "tcp_flags", match: oxmID{classExperimenter, 42}, nxm: nxm1(34), nxmName: "NXM_NX_TCP_FLAGS", bytes: 2, bits: 12, need: needTCP, format: formatTCPFlags, readOnly: true},
	UDPSrc:     {name: "udp_src", match: basic(15), nxm: nxm0(11), nxmName: "NXM_OF_UDP_SRC", bytes: 2, bits: 16, need: needUDP, format: formatDecimal},
	UDPDst:     {name: "udp_dst", match: basic(16), nxm: nxm0(12), nxmName: "NXM_OF_UDP_DST", bytes: 2, bits: 16, need: needUDP, format: formatDecimal},
	SCTPSrc:    {name: "sctp_src", match: basic(17), nxm: basic(17), nxmName: "OXM_OF_SCTP_SRC", bytes: 2, bits: 16, need: needSCTP, format: formatDecimal},
	SCTPDst:    {name: "sctp_dst", match: basic(18), nxm: basic(18), nxmName: "OXM_OF_SCTP_DST", bytes: 2, bits: 16, need: needSCTP, format: formatDecimal},
	ICMPv4Type: {name: "icmp_type", match: basic(19), nxm: nxm0(13), nxmName: "NXM_OF_ICMP_TYPE", bytes: 1, bits: 8, need: needICMPv4, format: formatDecimal, exact: true},
	ICMPv4Code: {name: "icmp_code", match: basic(20), nxm: nxm0(14), nxmName: "NXM_OF_ICMP_CODE", bytes: 1, bits: 8, need: needICMPv4, format: formatDecimal, exact: true},
	ICMPv6Type: {name: "icmpv6_type", match: basic(29), nxm: nxm1(21), nxmName: "NXM_NX_ICMPV6_TYPE", bytes: 1, bits: 8, need: needICMPv6, format: formatDecimal, exact: true},
	ICMPv6Code: {name: "icmpv6_code", match: basic(30), nxm: nxm1(22), nxmName: "NXM_NX_ICMPV6_CODE", bytes: 1, bits: 8, need: needICMPv6, format: formatDecimal, exact: true},

	ARPOp:  {name: "arp_op", match: basic(21), nxm: nxm0(15), nxmName: "NXM_OF_ARP_OP", bytes: 2, bits: 16, need: needARP, format: formatDecimal, exact: true},
	ARPSPA: {name: "arp_spa", match: basic(22), nxm: nxm0(16), nxmName: "NXM_OF_ARP_SPA", bytes: 4, bits: 32, need: needARP, format: formatIPv4},
	ARPTPA: {name: "arp_tpa", match: basic(23), nxm: nxm0(17), nxmName: "NXM_OF_ARP_TPA", bytes: 4, bits: 32, need: needARP, format: formatIPv4},
	ARPSHA: {name: "arp_sha", match: basic(24), nxm: nxm1(17), nxmName: "NXM_NX_ARP_SHA", bytes: 6, bits: 48, need: needARP, format: formatMAC},
	ARPTHA: {name: "arp_tha", match: basic(25), nxm: nxm1(18), nxmName: "NXM_NX_ARP_THA", bytes: 6, bits: 48, need: needARP, format: formatMAC},

	NDTarget:      {name: "nd_target", match: basic(31), nxm: nxm1(23), nxmName: "NXM_NX_ND_TARGET", bytes: 16, bits: 128, need: needND, format: formatIPv6},
	NDSLL:         {name: "nd_sll", match: basic(32), nxm: nxm1(24), nxmName: "NXM_NX_ND_SLL", bytes: 6, bits: 48, need: needNDSolicit, format: formatMAC},
	NDTLL:         {name: "nd_tll", match: basic(33), nxm: nxm1(25), nxmName: "NXM_NX_ND_TLL", bytes: 6, bits: 48, need: needNDAdvert, format: formatMAC},
	NDReserved:    {name: "nd_reserved", match: eric(1), nxm: eric(1), nxmName: "ERICOXM_OF_ICMPV6_ND_RESERVED", bytes: 4, bits: 32, need: needND, format: formatDecimal, exact: true},
	NDOptionsType: {name: "nd_options_type", match: eric(2), nxm: eric(2), nxmName: "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE", bytes: 1, bits: 8, need: needND, format: formatDecimal, exact: true},

	CTState: {name: "ct_state", match: nxm1(105), nxm: nxm1(105), nxmName: "NXM_NX_CT_STATE", bytes: 4, bits: 32, format: formatCTState, readOnly: true},
	CTZone:  {name: "ct_zone", match: nxm1(106), nxm: nxm1(106), nxmName: "NXM_NX_CT_ZONE", bytes: 2, bits: 16, exact: true, readOnly: true},
	CTMark:  {name: "ct_mark", match: nxm1(107), nxm: nxm1(107), nxmName: "NXM_NX_CT_MARK", bytes: 4, bits: 32, readOnly: true},
	CTLabel: {name: "ct_label", match: nxm1(108), nxm: nxm1(108), nxmName: "NXM_NX_CT_LABEL", bytes: 16, bits: 128, readOnly: true},
	ConjID:  {name: "conj_id", match: nxm1(37), nxm: nxm1(37), nxmName: "NXM_NX_CONJ_ID", bytes: 4, bits: 32, format: formatDecimal, exact: true, readOnly: true},
	PktMark: {name: "pkt_mark", match: nxm1(33), nxm: nxm1(33), nxmName: "NXM_NX_PKT_MARK", bytes: 4, bits: 32},

	Reg0:   register(0, "reg0", "NXM_NX_REG0"),
	Reg1:   register(1, "reg1", "NXM_NX_REG1"),
	Reg2:   register(2, "reg2", "NXM_NX_REG2"),
	Reg3:   register(3, "reg3", "NXM_NX_REG3"),
	Reg4:   register(4, "reg4", "NXM_NX_REG4"),
	Reg5:   register(5, "reg5", "NXM_NX_REG5"),
	Reg6:   register(6, "reg6", "NXM_NX_REG6"),
	Reg7:   register(7, "reg7", "NXM_NX_REG7"),
	Reg8:   register(8, "reg8", "NXM_NX_REG8"),
	Reg9:   register(9, "reg9", "NXM_NX_REG9"),
	Reg10:  register(10, "reg10", "NXM_NX_REG10"),
	Reg11:  register(11, "reg11", "NXM_NX_REG11"),
	Reg12:  register(12, "reg12", "NXM_NX_REG12"),
	Reg13:  register(13, "reg13", "NXM_NX_REG13"),
	Reg14:  register(14, "reg14", "NXM_NX_REG14"),
	Reg15:  register(15, "reg15", "NXM_NX_REG15"),
	XXReg0: wideRegister(111, "xxreg0", "NXM_NX_XXREG0"),
	XXReg1: wideRegister(112, "xxreg1", "NXM_NX_XXREG1"),
	XXReg2: wideRegister(113, "xxreg2", "NXM_NX_XXREG2"),
	XXReg3: wideRegister(114, "xxreg3", "NXM_NX_XXREG3"),
}

func register(n uint8, name, nxmName string) fieldInfo {
	return fieldInfo{name: name, match: nxm1(n), nxm: nxm1(n), nxmName: nxmName, bytes: 4, bits: 32}
}

func wideRegister(n uint8, name, nxmName string) fieldInfo {
	return fieldInfo{name: name, match: nxm1(n), nxm: nxm1(n), nxmName: nxmName, bytes: 16, bits: 128}
}

// wireOrder is the order in which Open vSwitch sends the fields of a match.
// The wide registers are not in it: a match on one is sent as four registers.
var wireOrder = []Field{
	ConjID, InPort, EthSrc, EthDst, EthType, VLANVID, VLANPCP,
	IPv4Src, IPv4Dst, IPv6Src, IPv6Dst, IPFrag, IPDSCP, IPECN, IPTTL, IPv6Label, IPProto,
	TCPSrc, TCPDst, TCPFlags, UDPSrc, UDPDst, SCTPSrc, SCTPDst,
	ICMPv4Type, ICMPv4Code, ICMPv6Type, ICMPv6Code,
	NDReserved, NDTarget, NDOptionsType, NDSLL, NDTLL,
	ARPOp, ARPSPA, ARPTPA, ARPSHA, ARPTHA,
	TunID, TunIPv4Src, TunIPv4Dst, TunIPv6Src, TunIPv6Dst,
	Reg0, Reg1, Reg2, Reg3, Reg4, Reg5, Reg6, Reg7,
	Reg8, Reg9, Reg10, Reg11, Reg12, Reg13, Reg14, Reg15,
	PktMark, CTState, CTZone, CTMark, CTLabel, Metadata,
}

// wireRank is each field's place in wireOrder.
var wireRank = func() (rank [numFields]uint8) {
	for i, f := range wireOrder {
		rank[f] = uint8(i)
	}
	return rank
}()

// byWire finds the field of an OXM or NXM header.
var byWire = func() map[oxmID]Field {
	m := make(map[oxmID]Field, 2*numFields)
	for f := InPort; f < numFields; f++ {
		m[fieldTable[f].match] = f
		m[fieldTable[f].nxm] = f
	}
	return m
}()

func (f Field) valid() bool { return f > 0 && f < numFields }

func (f Field) info() *fieldInfo {
	if !f.valid() {
		return &fieldTable[0]
	}
	return &fieldTable[f]
}

// Bits is the field's width in bits, as load and move count them. A match on
// vlan_vid has a bit more, the one that says that there is a tag.
func (f Field) Bits() int {
	if f == VLANVID {
		return 12
	}
	return f.info().bits
}

// String is the field's name in ovs-ofctl syntax.
func (f Field) String() string {
	switch {
	case f == InPort:
		return "in_port"
	case !f.valid():
		return "unknown"
	}
	return f.info().name
}
