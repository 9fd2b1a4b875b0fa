package openflow

import (
	"errors"
	"fmt"
)

// maxMatch bounds a match. All fields that there are, with masks, are shorter; so
// what is made of a match, such as a deletion in a bundle, always fits a message.
const maxMatch = 8192

// splitMatch takes the padded OXM match off the front of b. Its length is at
// least 8 and the match is whole.
func splitMatch(b []byte) (match, rest []byte, err error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("match cut short after %d bytes", len(b))
	}
	length := int(be.Uint16(b[2:]))
	if typ := be.Uint16(b); typ != 1 || length < 4 || length > maxMatch || padded(length) > len(b) {
		return nil, nil, fmt.Errorf("match of type %d and length %d in %d bytes", typ, length, len(b))
	}
	end := padded(length)
	return b[:end:end], b[end:], nil
}

// oxmFields is the part of a match (as splitMatch returns it) that has the fields.
func oxmFields(match []byte) []byte { return match[4:be.Uint16(match[2:])] }

// oxm is one field of a match as it is on the wire.
type oxm struct {
	id      oxmID
	hasMask bool
	payload []byte
}

// nextOXM takes a field off the front of b, which is not empty.
func nextOXM(b []byte) (o oxm, rest []byte, err error) {
	if len(b) < 4 || 4+int(b[3]) > len(b) {
		return oxm{}, nil, fmt.Errorf("match field cut short: %d bytes left", len(b))
	}
	end := 4 + int(b[3])
	o = oxm{id: oxmID{be.Uint16(b), b[2] >> 1}, hasMask: b[2]&1 != 0, payload: b[4:end]}
	if o.id.class == classExperimenter {
		if len(o.payload) < 4 || be.Uint32(o.payload) != onfExperimenter {
			// A class of its own, so that the field is not taken for one of ONF's.
			return oxm{id: oxmID{classExperimenter, 0xff}}, b[end:], nil
		}
		o.payload = o.payload[4:]
	}
	return o, b[end:], nil
}

func (o oxm) fieldValue() (FieldValue, error) {
	f, ok := byWire[o.id]
	if !ok {
		return FieldValue{}, fmt.Errorf("unknown match field %d of class %#x", o.id.field, o.id.class)
	}
	size := f.info().bytes
	want := size
	if o.hasMask {
		want *= 2
	}
	if len(o.payload) != want {
		return FieldValue{}, fmt.Errorf("%v of %d bytes, want %d", f, len(o.payload), want)
	}
	v := FieldValue{Field: f, Mask: fullMasks[f]}
	if o.hasMask {
		copy(v.Mask[:], o.payload[size:])
	}
	copy(v.Value[:], o.payload[:size])
	for i := range v.Value {
		v.Mask[i] &= fullMasks[f][i]
		v.Value[i] &= v.Mask[i]
	}
	return v, nil
}

// DecodeMatch decodes a raw OXM match, such as FlowStat.Match. It fails on a
// field that this package does not know.
func DecodeMatch(raw []byte) (Match, error) {
	m, err := decodeMatch(raw)
	if err != nil {
		return nil, fmt.Errorf("decode match: %w", err)
	}
	return m, nil
}

func decodeMatch(raw []byte) (Match, error) {
	match, rest, err := splitMatch(raw)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("bytes after the match")
	}
	var m Match
	for fields := oxmFields(match); len(fields) > 0; {
		o, next, err := nextOXM(fields)
		if err != nil {
			return nil, err
		}
		v, err := o.fieldValue()
		if err != nil {
			return nil, err
		}
		if m = append(m, v); len(m) >= int(numFields) {
			return nil, errors.New("more fields than there are")
		}
		fields = next
	}
	return m, nil
}
