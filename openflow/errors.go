package openflow

import (
	"bytes"
	"fmt"
)

// errExperimenter is the error type of errors that are not the standard's.
const errExperimenter = 0xffff

// ErrorMsg is a switch's refusal.
type ErrorMsg struct {
	XID uint32 // of the message refused
	// Type and Code are those of OpenFlow 1.3. Type 0xffff is an error of an
	// Experimenter, with its own codes.
	Type, Code   uint16
	Experimenter uint32
	Data         []byte // at least the first 64 bytes of the message refused
}

// DecodeError decodes an error message.
func DecodeError(m Message) (*ErrorMsg, error) {
	b := m.Body
	if len(b) < 4 {
		return nil, tooShort("error message", len(b))
	}
	e := &ErrorMsg{XID: m.XID, Type: be.Uint16(b), Code: be.Uint16(b[2:])}
	b = b[4:]
	if e.Type == errExperimenter {
		if len(b) < 4 {
			return nil, tooShort("error message", len(m.Body))
		}
		e.Experimenter, b = be.Uint32(b), b[4:]
	}
	e.Data = bytes.Clone(b[:min(len(b), 1024)])
	return e, nil
}

// Error says in words what the switch refused ("bad match: a field lacks its
// prerequisite (OFPBMC_BAD_PREREQ)").
func (e *ErrorMsg) Error() string {
	if e.Type == errExperimenter {
		if w, ok := experimenterErrors[experimenterError{e.Experimenter, e.Code}]; ok {
			return fmt.Sprintf("%s (%s)", w.text, w.name)
		}
		return fmt.Sprintf("error %d of experimenter %#x", e.Code, e.Experimenter)
	}
	if int(e.Type) >= len(errorTypes) {
		return fmt.Sprintf("error of type %d, code %d", e.Type, e.Code)
	}
	t := errorTypes[e.Type]
	if int(e.Code) >= len(t.codes) || t.codes[e.Code].name == "" {
		return fmt.Sprintf("%s: code %d", t.text, e.Code)
	}
	w := t.codes[e.Code]
	return fmt.Sprintf("%s: %s (%s%s)", t.text, w.text, t.prefix, w.name)
}

// words is an error's name in the standard and what it means.
type words struct{ name, text string }

type errorType struct {
	text, prefix string
	codes        []words // by code
}

type experimenterError struct {
	experimenter uint32
	code         uint16
}
