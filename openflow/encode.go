package openflow

import (
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	of "github.com/contiv/libOpenflow/openflow13"
)

// Encode puts a flow into wire form. It fails when the flow has no wire form:
// a field twice, a missing prerequisite, more bytes than a message can have (in
// a bundle: 65,511).
func Encode(f Flow) (Entry, error) {
	e, err := encodeFlow(f)
	if err != nil {
		return Entry{}, fmt.Errorf("encode flow of table %d: %w", f.Table, err)
	}
	return e, nil
}

func encodeFlow(f Flow) (Entry, error) {
	if f.Table == tableAll {
		return Entry{}, fmt.Errorf("there is no table %d", f.Table)
	}
	var space [16]FieldValue
	match, err := f.Match.canonical(space[:0])
	if err != nil {
		return Entry{}, err
	}
	if err := match.check(); err != nil {
		return Entry{}, err
	}
	mod := of.NewFlowMod()
	mod.Xid = 0
	mod.Cookie = f.Cookie
	mod.TableId = f.Table
	mod.Priority = f.Priority
	mod.Match = *match.wire()
	instructionsLen, err := addInstructions(mod, f, match)
	if err != nil {
		return Entry{}, err
	}
	matchLen := int(mod.Match.Len())
	// libOpenflow counts in 16 bits, so the length is checked before.
	if size := flowModHead + matchLen + instructionsLen; size > maxEntry {
		return Entry{}, tooLong(size)
	}
	add, err := mod.MarshalBinary()
	if err != nil {
		return Entry{}, err
	}
	id := ID{Kind: EntryFlow, Table: f.Table, Priority: f.Priority, Cookie: f.Cookie}
	return Entry{ID: id, Sum: flowSum(add[flowModHead:], 0, 0, 0), Add: add}, nil
}

// addInstructions adds meter, apply-actions and goto, and returns their length.
func addInstructions(mod *of.FlowMod, f Flow, match canonical) (int, error) {
	size := 0
	if f.Meter != 0 {
		mod.AddInstruction(of.NewInstrMeter(f.Meter))
		size += 8
	}
	if len(f.Actions) > 0 {
		apply := of.NewInstrApplyActions()
		actions, n, err := encodeActions(f.Actions, match)
		if err != nil {
			return 0, err
		}
		apply.Actions = actions
		apply.Length = uint16(8 + n)
		mod.AddInstruction(apply)
		size += 8 + n
	}
	if f.Goto != 0 {
		if f.Goto <= f.Table || f.Goto == tableAll {
			return 0, fmt.Errorf("goto_table:%d does not lead to a later table", f.Goto)
		}
		mod.AddInstruction(of.NewInstrGotoTable(f.Goto))
		size += 8
	}
	return size, nil
}

// maxEntry is the longest message that installs an entry: it must fit a
// bundle-add message, and what it installs must fit a reply.
const maxEntry = MaxMessage - bundleAddHead

func tooLong(size int) error {
	return fmt.Errorf("a message of %d bytes, at most %d are possible", size, maxEntry)
}

// flowModHead is the length of a flow-mod before its match.
const flowModHead = 48

// tableAll means every table, or none, but is not a table.
const tableAll = 255

// wire is the match as libOpenflow marshals it.
func (c canonical) wire() *of.Match {
	m := of.NewMatch()
	m.Fields = make([]of.MatchField, len(c))
	for i := range c {
		m.Fields[i] = c[i].matchField()
		m.Length += m.Fields[i].Len()
	}
	return m
}

// rawBytes are bytes that we have already, as a part of a libOpenflow message.
type rawBytes []byte

func (v rawBytes) Len() uint16                    { return uint16(len(v)) }
func (v rawBytes) MarshalBinary() ([]byte, error) { return v, nil }

// UnmarshalBinary is only there for the interface; nothing is decoded with libOpenflow.
func (v rawBytes) UnmarshalBinary([]byte) error { return errors.New("not a decoder") }

// matchField puts value and mask into one payload: libOpenflow has a type for
// each field, but not for each with a mask, and leaves out an experimenter id.
func (v *FieldValue) matchField() of.MatchField {
	info := v.Field.info()
	mf := of.MatchField{Class: info.match.class, Field: info.match.field}
	payload := make(rawBytes, 0, 4+2*info.bytes)
	if info.match.class == classExperimenter {
		payload = append(payload, onfExperimenter>>24, onfExperimenter>>16&0xff, onfExperimenter>>8&0xff, onfExperimenter&0xff)
	}
	payload = append(payload, v.value()...)
	if !v.IsExact() {
		payload = append(payload, v.mask()...)
		mf.HasMask = true
		mf.Mask = rawBytes(nil)
	}
	mf.Value = payload
	mf.Length = uint8(len(payload))
	return mf
}

// flowSum hashes a flow's match and instructions. What our own flows never
// have, timeouts and flags, changes the sum too, so that a flow that somebody
// gave a timeout is not taken for ours.
func flowSum(matchAndInstructions []byte, idle, hard, flags uint16) uint64 {
	const kept = 1 | 1<<3 | 1<<4 // send-flow-removed, no-packet-counts, no-byte-counts
	flags &= kept
	sum := xxhash.Sum64(matchAndInstructions)
	if idle|hard|flags != 0 {
		sum ^= (uint64(idle)<<32 | uint64(hard)<<16 | uint64(flags)) * 0x9e3779b97f4a7c15
	}
	return sum
}
