package openflow

// Field is one packet or pipeline field that Open vSwitch can match or set.
type Field uint8

// FieldValue is a field with a value and a mask; both are left-aligned and as
// long as the field is wide, the rest is zero. A mask of all ones is an exact
// match. Value has no bit outside Mask. The methods of Field make them.
type FieldValue struct {
	Field       Field
	Value, Mask [16]byte
}

// The fields.
const (
	InPort Field = iota + 1
	Metadata
	TunID
	TunIPv4Src
	TunIPv4Dst
	TunIPv6Src
	TunIPv6Dst
	EthSrc
	EthDst
	EthType
	VLANVID // with the CFI bit 0x1000 set when a tag is present
	IPProto
	IPTTL
	IPFrag
	IPv4Src
	IPv4Dst
	IPv6Src
	IPv6Dst
	TCPSrc
	TCPDst
	UDPSrc
	UDPDst
	ICMPv4Type
	ICMPv4Code
	ICMPv6Type
	ICMPv6Code
	ARPOp
	ARPSPA
	ARPTPA
	ARPSHA
	ARPTHA
	NDTarget
	NDSLL
	NDTLL
	NDReserved    // ERICOXM_OF_ICMPV6_ND_RESERVED
	NDOptionsType // ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE
	CTState
	CTZone
	CTMark
	PktMark
	Reg0
	Reg1
	Reg2
	Reg3
	Reg4
	Reg5
	Reg6
	Reg7
	Reg8
	Reg9
	Reg10
	Reg11
	Reg12
	Reg13
	Reg14
	Reg15
	XXReg0 // registers 0 to 3 as one 128-bit field, and so on
	XXReg1
	XXReg2
	XXReg3
	VLANPCP
	IPDSCP
	IPECN
	IPv6Label
	TCPFlags
	SCTPSrc
	SCTPDst
	CTLabel
	ConjID
	numFields
)
