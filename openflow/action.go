package openflow

// Action is one step of what happens to a packet: Output, ToController,
// SetField, Load, Move, Resubmit, ToGroup or DecTTL.
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
	// Load sets NBits bits of a field from bit Ofs on (load).
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
)

func (Output) isAction()       {}
func (ToController) isAction() {}
func (SetField) isAction()     {}
func (Load) isAction()         {}
func (Move) isAction()         {}
func (Resubmit) isAction()     {}
func (ToGroup) isAction()      {}
func (DecTTL) isAction()       {}
