package openflow

import "net/netip"

// NegotiateVersion says whether a peer's hello allows OpenFlow 1.3.
func NegotiateVersion(m Message) bool { panic("openflow: to be written") }

// DecodeError decodes an error message.
func DecodeError(m Message) (*ErrorMsg, error) { panic("openflow: to be written") }

// Features is what a switch says of itself.
type Features struct {
	DatapathID   uint64
	Buffers      uint32
	Tables       uint8
	AuxiliaryID  uint8
	Capabilities uint32
}

// DecodeFeaturesReply decodes a features reply.
func DecodeFeaturesReply(m Message) (Features, error) { panic("openflow: to be written") }

// Multipart is one part of a multipart reply (or a request).
type Multipart struct {
	Type MultipartType
	More bool
	// Experimenter and ExpType say what it is when Type is MultipartExperimenter.
	Experimenter, ExpType uint32
	Body                  []byte // valid as long as the message's
}

// IsFlowMonitor says whether the body is for DecodeFlowUpdates.
func (m Multipart) IsFlowMonitor() bool { panic("openflow: to be written") }

// DecodeMultipart decodes the head of a multipart reply or request.
func DecodeMultipart(m Message) (Multipart, error) { panic("openflow: to be written") }

// DecodeFlowStats decodes the body of a MultipartFlow reply.
func DecodeFlowStats(body []byte) ([]FlowStat, error) { panic("openflow: to be written") }

// EntryStat is a group or meter that a switch reports.
type EntryStat struct {
	ID  ID
	Sum uint64 // comparable to Entry.Sum
}

// DecodeGroupDescs decodes the body of a MultipartGroupDesc reply.
func DecodeGroupDescs(body []byte) ([]EntryStat, error) { panic("openflow: to be written") }

// DecodeMeterConfigs decodes the body of a MultipartMeterConfig reply.
func DecodeMeterConfigs(body []byte) ([]EntryStat, error) { panic("openflow: to be written") }

// DecodePortDescs decodes the body of a MultipartPortDesc reply.
func DecodePortDescs(body []byte) ([]PortStatus, error) { panic("openflow: to be written") }

// DecodePacketIn decodes a packet-in. Data is part of the message's body.
func DecodePacketIn(m Message) (PacketIn, error) { panic("openflow: to be written") }

// PortStatus is a change of a port.
type PortStatus struct {
	Reason        uint8 // 0 added, 1 deleted, 2 changed
	Port          uint32
	MAC           [6]byte
	Name          string
	Config, State uint32
}

// DecodePortStatus decodes a port-status message.
func DecodePortStatus(m Message) (PortStatus, error) { panic("openflow: to be written") }

// DecodeRoleReply decodes a role reply (or request).
func DecodeRoleReply(m Message) (role Role, generationID uint64, err error) {
	panic("openflow: to be written")
}

// FlowRemoved says that a flow is gone.
type FlowRemoved struct {
	ID     ID
	Reason uint8 // 0 idle, 1 hard timeout, 2 deleted, 3 group deleted
	Match  []byte
}

// DecodeFlowRemoved decodes a flow-removed message.
func DecodeFlowRemoved(m Message) (FlowRemoved, error) { panic("openflow: to be written") }

// UpdateEvent says what a FlowUpdate is.
type UpdateEvent uint8

// The events of a flow monitor.
const (
	UpdateAdded UpdateEvent = iota
	UpdateDeleted
	UpdateModified
	UpdateAbbrev // one of our own requests, FlowUpdate.XID, had its effect
)

// FlowUpdate is one event of a flow monitor.
type FlowUpdate struct {
	Event UpdateEvent
	XID   uint32 // of UpdateAbbrev
	ID    ID
	Sum   uint64 // comparable to Entry.Sum; 0 for UpdateDeleted
	Match []byte
}

// DecodeFlowUpdates decodes the body of a flow monitor's multipart reply.
func DecodeFlowUpdates(body []byte) ([]FlowUpdate, error) { panic("openflow: to be written") }

// MonitorPaused and MonitorResumed say whether m tells that the switch paused
// the flow monitor for want of buffers, or resumed it.
func MonitorPaused(m Message) bool { panic("openflow: to be written") }

// MonitorResumed is described at MonitorPaused.
func MonitorResumed(m Message) bool { panic("openflow: to be written") }

// FlowMod is a flow-mod as a switch sees it.
type FlowMod struct {
	Command    uint8 // 0 add, 1 modify, 2 modify strict, 3 delete, 4 delete strict
	ID         ID
	CookieMask uint64
	Sum        uint64 // comparable to Entry.Sum
	// Match and Instructions are raw, and part of the message's body.
	Match, Instructions []byte
}

// DecodeFlowMod decodes a controller's flow-mod.
func DecodeFlowMod(m Message) (FlowMod, error) { panic("openflow: to be written") }

// EntryMod is a group-mod or meter-mod as a switch sees it.
type EntryMod struct {
	Command uint16 // 0 add, 1 modify, 2 delete
	ID      ID
	Sum     uint64 // comparable to Entry.Sum
	Body    []byte // part of the message's body
}

// DecodeGroupMod decodes a controller's group-mod.
func DecodeGroupMod(m Message) (EntryMod, error) { panic("openflow: to be written") }

// DecodeMeterMod decodes a controller's meter-mod.
func DecodeMeterMod(m Message) (EntryMod, error) { panic("openflow: to be written") }

// DecodeFlow decodes a flow from its raw match and instructions. It fails on
// what a Flow cannot say.
func DecodeFlow(id ID, match, instructions []byte) (Flow, error) { panic("openflow: to be written") }

var _ netip.Addr

// Error says in words what the switch refused.
func (e *ErrorMsg) Error() string { panic("openflow: to be written") }

// FlowMonitorRequest asks to hear of every change of the flow tables that
// comes from somebody else, from now on.
func FlowMonitorRequest(id uint32) []byte { panic("openflow: to be written") }
