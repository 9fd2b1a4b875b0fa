package openflow

// The builders return a whole message with transaction id 0; see SetXID.

// Hello offers OpenFlow 1.3 only, with a version bitmap (OpenFlow 1.3.5, A.5.1).
func Hello() []byte { panic("openflow: to be written") }

// EchoRequest asks for an echo of data.
func EchoRequest(data []byte) []byte { panic("openflow: to be written") }

// EchoReply answers an echo request: same data, and SetXID with its XID.
func EchoReply(data []byte) []byte { panic("openflow: to be written") }

// FeaturesRequest asks for the datapath id.
func FeaturesRequest() []byte { panic("openflow: to be written") }

// SetConfig sets how many bytes of a packet a table miss sends; 65535 is the
// whole packet, unbuffered.
func SetConfig(missSendLen uint16) []byte { panic("openflow: to be written") }

// BarrierRequest asks for a reply when everything before it is done.
func BarrierRequest() []byte { panic("openflow: to be written") }

// Role is a controller's role at a switch (OpenFlow 1.3.5, A.3.9).
type Role uint32

// The roles.
const (
	RoleNoChange Role = iota
	RoleEqual
	RoleMaster
	RoleSlave
)

// RoleRequest asks for a role. A switch refuses master and slave with a
// generation id older than one it has seen.
func RoleRequest(role Role, generationID uint64) []byte { panic("openflow: to be written") }

// PacketOut has the switch run actions on a packet as if it came in by inPort.
func PacketOut(inPort uint32, actions []Action, data []byte) ([]byte, error) {
	panic("openflow: to be written")
}

// DeleteFlow deletes the flows of a table with exactly this cookie.
func DeleteFlow(table uint8, cookie uint64) []byte { panic("openflow: to be written") }

// DeleteFlowStrict deletes the flow with exactly this match (FlowStat.Match) and priority.
func DeleteFlowStrict(table uint8, priority uint16, match []byte) []byte {
	panic("openflow: to be written")
}

// DeleteGroup deletes a group, and with it the flows that use it.
func DeleteGroup(id uint32) []byte { panic("openflow: to be written") }

// DeleteMeter deletes a meter, and with it the flows that use it.
func DeleteMeter(id uint32) []byte { panic("openflow: to be written") }

// FlowStatsRequest asks for all flows of all tables.
func FlowStatsRequest() []byte { panic("openflow: to be written") }

// GroupDescRequest asks for all groups.
func GroupDescRequest() []byte { panic("openflow: to be written") }

// MeterConfigRequest asks for all meters.
func MeterConfigRequest() []byte { panic("openflow: to be written") }

// Flags of a bundle.
const (
	BundleAtomic  uint16 = 1
	BundleOrdered uint16 = 2
)

// BundleOpen opens a bundle (ONF extension 230).
func BundleOpen(id uint32, flags uint16) []byte { panic("openflow: to be written") }

// BundleCommit commits a bundle.
func BundleCommit(id uint32, flags uint16) []byte { panic("openflow: to be written") }

// BundleDiscard discards a bundle.
func BundleDiscard(id uint32, flags uint16) []byte { panic("openflow: to be written") }

// AppendBundleAdd appends a bundle-add message that wraps msg (an Entry.Add, or
// a delete message), and returns the extended buffer. SetXID on the part that
// was appended sets the outer and the inner transaction id.
func AppendBundleAdd(dst []byte, id uint32, flags uint16, msg []byte) []byte {
	panic("openflow: to be written")
}

// FlowMonitorRequest asks to hear of every change of the flow tables that
// comes from somebody else, from now on.
func FlowMonitorRequest(id uint32) []byte { panic("openflow: to be written") }
