package openflow

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Multipart is one part of a multipart reply (or request).
type Multipart struct {
	Type MultipartType
	More bool // another part follows, with the same transaction id
	// Experimenter and ExpType say what it is when Type is MultipartExperimenter.
	Experimenter, ExpType uint32
	Body                  []byte // part of the message's body
}

// DecodeMultipart decodes the head of a multipart reply or request.
func DecodeMultipart(m Message) (Multipart, error) {
	b := m.Body
	if len(b) < 8 {
		return Multipart{}, tooShort("multipart message", len(b))
	}
	p := Multipart{Type: MultipartType(be.Uint16(b)), More: b[3]&1 != 0, Body: b[8:]}
	if p.Type == MultipartExperimenter {
		if len(p.Body) < 8 {
			return Multipart{}, tooShort("multipart message", len(b))
		}
		p.Experimenter, p.ExpType, p.Body = be.Uint32(p.Body), be.Uint32(p.Body[4:]), p.Body[8:]
	}
	return p, nil
}

// flowStatHead is the length of a flow's statistics before its match.
const flowStatHead = 48

// DecodeFlowStats decodes the body of a MultipartFlow reply.
func DecodeFlowStats(body []byte) ([]FlowStat, error) {
	var stats []FlowStat
	// One copy for all flows: they are mostly kept or dropped together.
	err := EachFlowStat(bytes.Clone(body), func(s *FlowStat) { stats = append(stats, *s) })
	if err != nil {
		return nil, err
	}
	return stats, nil
}

// EachFlowStat calls fn with each flow in the body of a MultipartFlow reply, up to
// the first that cannot be decoded. Match and Instructions are part of the body; s
// is only valid within the call.
func EachFlowStat(body []byte, fn func(s *FlowStat)) error {
	const smallest = flowStatHead + 8
	for len(body) > 0 {
		if len(body) < smallest {
			return tooShort("flow statistics", len(body))
		}
		length := int(be.Uint16(body))
		if length < smallest || length > len(body) {
			return fmt.Errorf("decode flow statistics: length %d in %d bytes", length, len(body))
		}
		s, err := decodeFlowStat(body[:length:length])
		if err != nil {
			return fmt.Errorf("decode flow statistics: %w", err)
		}
		fn(&s)
		body = body[length:]
	}
	return nil
}

func decodeFlowStat(b []byte) (FlowStat, error) {
	match, instructions, err := splitMatch(b[flowStatHead:])
	if err != nil {
		return FlowStat{}, err
	}
	return FlowStat{
		ID:           ID{Kind: EntryFlow, Table: b[2], Priority: be.Uint16(b[12:]), Cookie: be.Uint64(b[24:])},
		Sum:          flowSum(b[flowStatHead:], be.Uint16(b[14:]), be.Uint16(b[16:]), be.Uint16(b[18:])),
		Packets:      be.Uint64(b[32:]),
		Bytes:        be.Uint64(b[40:]),
		Duration:     time.Duration(be.Uint32(b[4:]))*time.Second + time.Duration(be.Uint32(b[8:])),
		Match:        match,
		Instructions: instructions,
	}, nil
}

// EntryStat is a group or meter that a switch reports.
type EntryStat struct {
	ID  ID
	Sum uint64 // comparable to Entry.Sum
}

// DecodeGroupDescs decodes the body of a MultipartGroupDesc reply.
func DecodeGroupDescs(body []byte) ([]EntryStat, error) {
	return decodeEntries(body, "group descriptions", func(b []byte) EntryStat {
		return EntryStat{ID{Kind: EntryGroup, Number: be.Uint32(b[4:])}, groupSum(b[2], b[8:])}
	})
}

// DecodeMeterConfigs decodes the body of a MultipartMeterConfig reply.
func DecodeMeterConfigs(body []byte) ([]EntryStat, error) {
	return decodeEntries(body, "meter configurations", func(b []byte) EntryStat {
		return EntryStat{ID{Kind: EntryMeter, Number: be.Uint32(b[4:])}, meterSum(be.Uint16(b[2:]), b[8:])}
	})
}

// decodeEntries splits a body into entries that begin with their length
// and have at least eight bytes.
func decodeEntries(body []byte, what string, one func([]byte) EntryStat) ([]EntryStat, error) {
	var entries []EntryStat
	for len(body) > 0 {
		if len(body) < 8 {
			return nil, tooShort(what, len(body))
		}
		length := int(be.Uint16(body))
		if length < 8 || length > len(body) {
			return nil, fmt.Errorf("decode %s: length %d in %d bytes", what, length, len(body))
		}
		entries = append(entries, one(body[:length]))
		body = body[length:]
	}
	return entries, nil
}

// DecodeGroups decodes the body of a MultipartGroupDesc reply in full. It
// fails on what a Group cannot say.
func DecodeGroups(body []byte) ([]Group, error) {
	var groups []Group
	var failed error
	_, err := decodeEntries(body, "group descriptions", func(b []byte) EntryStat {
		g := Group{ID: be.Uint32(b[4:]), Type: GroupType(b[2])}
		var err error
		if g.Buckets, err = decodeBuckets(b[8:]); err != nil && failed == nil {
			failed = fmt.Errorf("decode group %d: %w", g.ID, err)
		}
		groups = append(groups, g)
		return EntryStat{}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	return groups, nil
}

// noGroup is what a bucket watches that watches no group (OFPG_ANY).
const noGroup = 0xffffffff

func decodeBuckets(b []byte) ([]Bucket, error) {
	var buckets []Bucket
	for len(b) > 0 {
		if len(b) < bucketHead {
			return nil, fmt.Errorf("bucket cut short after %d bytes", len(b))
		}
		length := int(be.Uint16(b))
		if length < bucketHead || length > len(b) {
			return nil, fmt.Errorf("bucket of length %d in %d bytes", length, len(b))
		}
		if be.Uint32(b[8:]) != noGroup {
			return nil, errors.New("bucket that watches a group")
		}
		actions, err := decodeActions(b[bucketHead:length])
		if err != nil {
			return nil, err
		}
		bucket := Bucket{Weight: be.Uint16(b[2:]), WatchPort: be.Uint32(b[4:]), Actions: actions}
		if bucket.WatchPort == PortAny {
			bucket.WatchPort = 0
		}
		buckets = append(buckets, bucket)
		b = b[length:]
	}
	return buckets, nil
}
