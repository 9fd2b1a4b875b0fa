package openflow

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Numbers of the flow monitor that Open vSwitch 3.0 and later has in OpenFlow
// 1.3, the ONF extension 187: multipart type 1870, pause and resume messages
// 1871 and 1872. Older ones refuse the request (OFPBRC_BAD_VENDOR or
// _BAD_SUBTYPE): their Nicira form is for OpenFlow 1.0 to 1.2 only.
const (
	onfFlowMonitor   = 1870
	onfMonitorPaused = 1871
	onfMonitorResume = 1872
)

// Flags of a flow monitor request.
const (
	monitorInitial = 1 << iota
	monitorAdd
	monitorDelete
	monitorModify
	monitorActions
	monitorOwn
)

// FlowMonitorRequest asks to hear of every change of the flow tables from now
// on, with the instructions of the flows. Changes by this connection's own
// requests come abbreviated (UpdateAbbrev), a bundle as one update with the
// transaction id of its first message. The switch answers at once with an
// empty multipart reply of the request's XID; updates come as multipart
// replies of XID 0, those by a request before the answer to the next barrier.
//
// A flow that is added again in place of itself is UpdateAdded once more.
// The id must not be in use on this connection: Open vSwitch 3.1 answers that
// with an error of OpenFlow version 1 and a transaction id of no message.
func FlowMonitorRequest(id uint32) []byte {
	body := onfHead(onfFlowMonitor)
	body = binary.BigEndian.AppendUint32(body, id)
	body = binary.BigEndian.AppendUint16(body, monitorAdd|monitorDelete|monitorModify|monitorActions)
	body = append(body, 0, 4) // length of a match without fields
	body = binary.BigEndian.AppendUint32(body, PortAny)
	body = append(body, tableAll, 0, 0, 0)
	return multipart(TypeMultipartRequest, MultipartExperimenter, false, append(body, emptyMatch[:]...))
}

// FlowMonitorCancel ends a flow monitor.
func FlowMonitorCancel(id uint32) []byte {
	return message(TypeExperimenter, binary.BigEndian.AppendUint32(onfHead(onfFlowMonitor), id)...)
}

// IsFlowMonitor says whether the body is for DecodeFlowUpdates.
func (m Multipart) IsFlowMonitor() bool {
	return m.Type == MultipartExperimenter && m.Experimenter == onfExperimenter && m.ExpType == onfFlowMonitor
}

// MonitorPaused says whether m tells that the switch paused the flow monitor,
// because this connection does not read fast enough. It drops nothing: when it
// resumes it sends what the changes in between add up to, our own among them.
func MonitorPaused(m Message) bool { return isONF(m, onfMonitorPaused) }

// MonitorResumed says whether m tells that a paused flow monitor goes on.
func MonitorResumed(m Message) bool { return isONF(m, onfMonitorResume) }

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
	XID   uint32 // of UpdateAbbrev, which has nothing else
	ID    ID
	// Sum is comparable to Entry.Sum. For UpdateDeleted it is 0: no
	// instructions come with it.
	Sum                 uint64
	Match, Instructions []byte
}

// DecodeFlowUpdates decodes the body of a flow monitor's multipart reply.
func DecodeFlowUpdates(body []byte) ([]FlowUpdate, error) {
	var updates []FlowUpdate
	body = bytes.Clone(body)
	for len(body) > 0 {
		if len(body) < 8 {
			return nil, tooShort("flow updates", len(body))
		}
		length := int(be.Uint16(body))
		if length < 8 || length > len(body) {
			return nil, fmt.Errorf("decode flow updates: length %d in %d bytes", length, len(body))
		}
		u, err := decodeFlowUpdate(body[:length:length])
		if err != nil {
			return nil, fmt.Errorf("decode flow updates: %w", err)
		}
		updates = append(updates, u)
		body = body[length:]
	}
	return updates, nil
}

func decodeFlowUpdate(b []byte) (FlowUpdate, error) {
	const head = 24
	event := be.Uint16(b[2:])
	switch {
	case event == uint16(UpdateAbbrev):
		return FlowUpdate{Event: UpdateAbbrev, XID: be.Uint32(b[4:])}, nil
	case event > uint16(UpdateAbbrev) || len(b) < head:
		return FlowUpdate{}, fmt.Errorf("event %d in %d bytes", event, len(b))
	}
	match, instructions, err := splitMatch(b[head:])
	if err != nil {
		return FlowUpdate{}, err
	}
	u := FlowUpdate{
		Event:        UpdateEvent(event),
		ID:           ID{Kind: EntryFlow, Table: b[14], Priority: be.Uint16(b[6:]), Cookie: be.Uint64(b[16:])},
		Match:        match,
		Instructions: instructions,
	}
	if u.Event != UpdateDeleted {
		u.Sum = flowSum(b[head:], be.Uint16(b[8:]), be.Uint16(b[10:]), 0)
	}
	return u, nil
}
