package openflow

import "fmt"

// Action is one step of what happens to a packet: Output, ToController,
// SetField, Load, Move, Resubmit, ToGroup, DecTTL, PushVLAN, PopVLAN,
// CheckPktLarger, CT, CTClear or Conjunction. Actions are comparable.
type Action interface{ isAction() }

// Reserved ports (OpenFlow 1.3.5, A.2.1).
const (
	PortInPort     uint32 = 0xfffffff8
	PortController uint32 = 0xfffffffd
	PortLocal      uint32 = 0xfffffffe
	PortAny        uint32 = 0xffffffff
)

type (
	// Output sends the packet to a port. PortInPort is the port it came from,
	// which any other form of output never goes back to.
	Output struct{ Port uint32 }
	// ToController sends at least MaxLen bytes of the packet to the controller.
	// Open vSwitch since 2.7 keeps no packet in a buffer, and then has to send
	// all of it whatever MaxLen says.
	ToController struct{ MaxLen uint16 }
	// SetField sets a whole field (set_field), or the bits of its mask: those
	// are sent, and shown, as one Load for each run of bits.
	SetField struct{ FieldValue }
	// Load sets NBits bits of a field from bit Ofs on (load). It is how InPort is
	// set, all of it: a packet whose in_port is 0 can go out where it came in.
	Load struct {
		Value uint64
		Dst   Field
		Ofs   int
		NBits int
	}
	// Move copies NBits bits (move).
	Move struct {
		Src    Field
		SrcOfs int
		Dst    Field
		DstOfs int
		NBits  int
	}
	// Resubmit looks the packet up in another table and comes back.
	Resubmit struct{ Table uint8 }
	// ToGroup hands the packet to a group.
	ToGroup struct{ ID uint32 }
	// DecTTL decrements the IP TTL or hop limit.
	DecTTL struct{}
	// PushVLAN puts an 802.1Q tag on a packet that is not known to have one
	// (push_vlan:0x8100). Its number is then set with SetField of VLANVID.
	PushVLAN struct{}
	// PopVLAN takes the tag off (pop_vlan).
	PopVLAN struct{}
	// CheckPktLarger sets one bit of a field: whether the packet, with its
	// Ethernet header, is longer than Size bytes (check_pkt_larger).
	CheckPktLarger struct {
		Size uint16
		Dst  Field
		Bit  int
	}
	// CTClear makes the packet one that was not tracked (ct_clear).
	CTClear struct{}
	// Conjunction is one way to fulfil a condition of several (conjunction): a packet that
	// some flow of each clause of an ID matches, all of the same priority, matches the flow
	// that has this ConjID. A flow has no other actions beside it (ovs-fields(7),
	// "Conjunctive Match Fields"). Clause counts from 1 to Clauses, which is 2 to 64.
	Conjunction struct {
		ID              uint32
		Clause, Clauses uint8
	}
)

func (Output) isAction()         {}
func (ToController) isAction()   {}
func (SetField) isAction()       {}
func (Load) isAction()           {}
func (Move) isAction()           {}
func (Resubmit) isAction()       {}
func (ToGroup) isAction()        {}
func (DecTTL) isAction()         {}
func (PushVLAN) isAction()       {}
func (PopVLAN) isAction()        {}
func (CheckPktLarger) isAction() {}
func (CTClear) isAction()        {}
func (Conjunction) isAction()    {}

func (c Conjunction) check() error {
	if c.Clauses < 2 || c.Clauses > 64 || c.Clause < 1 || c.Clause > c.Clauses {
		return fmt.Errorf("conjunction with clause %d of %d", c.Clause, c.Clauses)
	}
	return nil
}
