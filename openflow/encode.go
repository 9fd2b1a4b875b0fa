package openflow

// Encode puts a flow into wire form. It fails when the flow has no wire form:
// a field twice, a missing prerequisite, a message over 65,535 bytes.
func Encode(f Flow) (Entry, error) { panic("openflow: to be written") }

// EncodeGroup puts a group into wire form.
func EncodeGroup(g Group) (Entry, error) { panic("openflow: to be written") }

// EncodeMeter puts a meter into wire form.
func EncodeMeter(m Meter) (Entry, error) { panic("openflow: to be written") }

// String is the flow as `ovs-ofctl --no-stats dump-flows` prints it, without
// leading space: "cookie=0x1, table=10, priority=100,ip,reg0=0x5 actions=drop".
func (f Flow) String() string { panic("openflow: to be written") }
