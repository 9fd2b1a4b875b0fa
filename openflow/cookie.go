package openflow

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"github.com/cespare/xxhash/v2"
)

// Seal encodes the flows of one source object, and gives each a cookie that
// says which object it came from (upper 32 bits, SourceID(source)) and what it
// contains (lower 32 bits). The result is the same in every process. A flow
// that is given twice is sealed once; two flows with the same table, priority
// and match but different actions are an error, as a switch can hold only one.
func Seal(source string, flows []Flow) ([]Entry, error) {
	entries := make([]Entry, 0, len(flows))
	seen := make(map[string]uint64, len(flows))
	upper := uint64(SourceID(source)) << 32
	for _, f := range flows {
		f.Cookie = 0
		e, err := encodeFlow(f)
		if err != nil {
			return nil, fmt.Errorf("flow %v of %s: %w", f, source, err)
		}
		place := string(e.place())
		if sum, ok := seen[place]; ok {
			if sum != e.Sum {
				return nil, fmt.Errorf("flow %v of %s: another has the same table, priority and match", f, source)
			}
			continue
		}
		seen[place] = e.Sum
		e.setCookie(upper | uint64(contentID(e)))
		entries = append(entries, e)
	}
	return entries, nil
}

// SourceID is the upper half of the cookies of a source object's flows. It is a
// hash: two objects can share one, rarely. It is never 0.
func SourceID(source string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(source))
	return max(h.Sum32(), 1)
}

// contentID hashes table, priority, match and instructions.
func contentID(e Entry) uint32 {
	var b [11]byte
	b[0] = e.ID.Table
	binary.BigEndian.PutUint16(b[1:], e.ID.Priority)
	binary.BigEndian.PutUint64(b[3:], e.Sum)
	return uint32(xxhash.Sum64(b[:]))
}

// place is what of a flow there can only be one with: table, priority, match.
func (e Entry) place() []byte {
	match := e.Add[flowModHead:]
	end := flowModHead + padded(int(binary.BigEndian.Uint16(match[2:])))
	place := append([]byte{e.ID.Table}, e.Add[30:32]...) // the priority
	return append(place, e.Add[flowModHead:end]...)
}

// setCookie is for an entry that nobody else has yet.
func (e *Entry) setCookie(cookie uint64) {
	e.ID.Cookie = cookie
	binary.BigEndian.PutUint64(e.Add[8:], cookie)
}

// padded rounds up to a multiple of eight.
func padded(n int) int { return (n + 7) &^ 7 }
