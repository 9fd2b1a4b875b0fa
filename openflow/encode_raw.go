package openflow

import of "github.com/contiv/libOpenflow/openflow13"

// rawAction is an action that libOpenflow lacks, or gets wrong, in wire form.
type rawAction struct {
	of.ActionHeader
	rawBytes
}

// niciraAction puts the part of an action that follows its subtype into wire form.
func niciraAction(subtype uint16, body []byte) of.Action {
	const head = 10
	length := padded(head + len(body))
	b := make([]byte, length)
	be.PutUint16(b, actionExperimenter)
	be.PutUint16(b[2:], uint16(length))
	be.PutUint32(b[4:], niciraExperimenter)
	be.PutUint16(b[8:], subtype)
	copy(b[head:], body)
	header := of.ActionHeader{Type: actionExperimenter, Length: uint16(length)}
	return &rawAction{ActionHeader: header, rawBytes: b}
}

// Both parts of a rawAction have these: the bytes count.

func (a *rawAction) Len() uint16                    { return a.rawBytes.Len() }
func (a *rawAction) MarshalBinary() ([]byte, error) { return a.rawBytes.MarshalBinary() }

// UnmarshalBinary is only there for the interface.
func (a *rawAction) UnmarshalBinary(b []byte) error { return a.rawBytes.UnmarshalBinary(b) }
