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
	// RegICMP is MTU<<16|type<<8|code of the ICMP error to be sent.
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
	// RegExternal is the external network that the packet came in from, as
	// ExternalNetwork numbers it; 0 for a packet from inside.
	RegExternal = openflow.Reg14
	// RegPosition is the VNI of the position in a chain that the packet is at, in bits 0 to
	// 23 of metadata; bits 32 to 55 are a VNI for a moment.
	RegPosition = openflow.Metadata
	// RegFunction is the service function that the packet goes to or comes from, and
	// RegInstance the number of its instance, 0 while none is chosen. RegArm is by which
	// port an instance gave the packet back. RegBefore is the function that the packet
	// comes from, and then its instance, 0 if that is not known.
	RegFunction = openflow.Reg4
	RegInstance = openflow.Reg5
	RegArm      = openflow.Reg6
	// RegZone, where a packet comes from another host, is the chain's zone.
	RegZone   = openflow.Reg6
	RegBefore = openflow.Reg7
	// RegScratch (registers 8 and 9) keeps a MAC for a moment.
	RegScratch = openflow.XXReg2
	// RegReason is why a packet is sent to the controller: a Reason.
	RegReason = openflow.Reg15
)

// Bits of RegFlags.
const (
	// FlagFound: the neighbour table put the answer into eth_dst.
	FlagFound = 0
	// FlagRouter: the answer is a router.
	FlagRouter = 1
	// FlagShared: the address may move between endpoints; ask them.
	FlagShared = 2
	// FlagLarge: the packet is larger than the network that it has to go to takes.
	FlagLarge = 3
	// FlagAnswer: it asks for an address of ours.
	FlagAnswer = 4
	// FlagAnnounce: it leaves from where the lane is.
	FlagAnnounce = 5
	// FlagAsked: another host of the gateway could not tell whose it is.
	FlagAsked = 6
	// FlagAnswers: it may only be an answer to what an endpoint began.
	FlagAnswers = 7
	// FlagFromInside and FlagToInside: source, and destination, are in the router's networks.
	FlagFromInside = 8
	FlagToInside   = 9
	// FlagItself: an instance of a service function sends it as itself.
	FlagItself = 10
	// FlagAstray: another host sent it to an instance that this host cannot give it to.
	FlagAstray = 11
	// FlagBefore: the instance that it comes from is in RegBefore.
	FlagBefore = 12
	// FlagChosen: an instance was chosen at this hop, and failed all the same.
	FlagChosen = 13
)

// Ports of an instance, in RegArm.
const (
	armIn   = 1
	armOut  = 2
	armBoth = armIn | armOut
)

// Reason says why a packet is sent to the controller.
type Reason uint32

// The reasons.
const (
	// ReasonICMP: an ICMP error is owed for it, or it is a tunnel probe.
	ReasonICMP Reason = iota
	// ReasonResolve: the MAC of its next hop outside is not known.
	ReasonResolve
	// ReasonHeard: it says which MAC an address outside has.
	ReasonHeard
	// ReasonLeaving and ReasonEntering: an ICMP error to or from outside, about a
	// packet whose address was translated; it quotes that address.
	ReasonLeaving
	ReasonEntering
	// ReasonStray: from outside, of a connection that no host of the gateway knows.
	ReasonStray
	// ReasonExhausted: no port was left to translate its source to.
	ReasonExhausted
	// ReasonAnswer: an instance of a service function answers a question, or lets it through.
	ReasonAnswer
)

// Meters.
const (
	// MeterICMP limits the packets that a host sends up for ICMP errors.
	MeterICMP uint32 = 1
	// MeterProbe limits the tunnel probes that a host sends up.
	MeterProbe uint32 = 2
	// MeterHeard limits what it sends up of what neighbours outside say.
	MeterHeard uint32 = 3
	// MeterQuote limits the ICMP errors of endpoints that it sends up to have their quotes
	// translated.
	MeterQuote uint32 = 4
	// MeterStray limits what it sends up of connections that are not known or have no
	// port left.
	MeterStray uint32 = 5
	// MeterResolve limits the packets that it sends up for the MAC of their next hop. It is
	// not that of the answers: a sender who does not wait must not keep them away.
	MeterResolve uint32 = 6
	// MeterICMPOutside and MeterQuoteOutside are MeterICMP and MeterQuote for packets from
	// outside: who floods from there takes nothing from endpoints.
	MeterICMPOutside  uint32 = 7
	MeterQuoteOutside uint32 = 8
)

// functionMeters sets the meters of functions apart from those: they are it plus the
// function's id. Open vSwitch's userspace datapath takes meters up to 65536.
const functionMeters = 500

// TunnelPort is the OpenFlow port of the VXLAN port on every host.
const TunnelPort uint32 = 1

// TickPort is the OpenFlow port at which frames come in ten times a second on hosts
// that carry gateways.
const TickPort uint32 = 63000

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
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58

	bfdPort = 3784 // RFC 5881
)
