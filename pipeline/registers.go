package pipeline

import "github.com/dovetail-sdn/dovetail/openflow"

// Registers, each named once.
const (
	// RegNetwork is the VNI of the network that the packet is in. It is set once
	// at ingress, and again only by a router.
	RegNetwork = openflow.Reg0
	// RegRouter is the id of the router that the packet passes.
	RegRouter = openflow.Reg1
	// RegFlags has the flags below.
	RegFlags = openflow.Reg2
	// RegICMP is type<<8|code of the ICMP error to be sent.
	RegICMP = openflow.Reg3
	// RegPage is the page of hosts in flood-remote, and of ports in flood-page.
	RegPage = openflow.Reg3
	// RegNextHop6 (registers 4 to 7) and RegNextHop4 are the address that the
	// neighbour table is asked for. One of them is 0.
	RegNextHop6 = openflow.XXReg1
	RegNextHop4 = openflow.Reg12
	// RegSource6 (registers 8 to 11) and RegSource4 are the router's address in
	// the network that the packet came from: the source of ICMP errors.
	RegSource6 = openflow.XXReg2
	RegSource4 = openflow.Reg13
)

// Bits of RegFlags.
const (
	// FlagFound: the neighbour table put the answer into eth_dst.
	FlagFound = 0
	// FlagRouter: the answer is a router.
	FlagRouter = 1
	// FlagShared: the address may move between endpoints; ask them.
	FlagShared = 2
)

// Meters.
const (
	// MeterICMP limits the packets that a host sends up for ICMP errors.
	MeterICMP uint32 = 1
	// MeterProbe limits the tunnel probes that a host sends up.
	MeterProbe uint32 = 2
)

// TunnelPort is the OpenFlow port of the VXLAN port on every host.
const TunnelPort uint32 = 1

// ProbeVNI is the VNI of tunnel probes. No network can have it.
const ProbeVNI = 0

// ProbeEtherType is IEEE 802's Local Experimental EtherType 1.
const ProbeEtherType = 0x88b5

// Ethernet types and IP protocols used in matches.
const (
	ethIPv4 = 0x0800
	ethARP  = 0x0806
	ethIPv6 = 0x86dd

	protoICMP  = 1
	protoUDP   = 17
	protoICMP6 = 58
)
