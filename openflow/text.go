package openflow

import (
	"strconv"
	"strings"
)

// defaultPriority is the one that ovs-ofctl does not print.
const defaultPriority = 32768

// String is the flow as `ovs-ofctl --no-stats --no-names dump-flows` prints it,
// without leading space: "cookie=0x1, table=10, priority=100,ip,reg0=0x5
// actions=drop". What a switch would refuse is printed as well as possible.
func (f Flow) String() string {
	b := make([]byte, 0, 256)
	if f.Cookie != 0 {
		b = strconv.AppendUint(append(b, "cookie=0x"...), f.Cookie, 16)
		b = append(b, ", "...)
	}
	if f.Table != 0 {
		b = strconv.AppendUint(append(b, "table="...), uint64(f.Table), 10)
		b = append(b, ", "...)
	}
	before := len(b)
	if f.Priority != defaultPriority {
		b = strconv.AppendUint(append(b, "priority="...), uint64(f.Priority), 10)
		b = append(b, ',')
	}
	b = appendMatch(b, f.Match)
	if len(b) > before {
		b[len(b)-1] = ' '
	}
	b = append(b, "actions="...)
	before = len(b)
	if f.Meter != 0 {
		b = strconv.AppendUint(append(b, "meter:"...), uint64(f.Meter), 10)
		b = append(b, ',')
	}
	b = appendActions(b, f.Actions)
	if f.Goto != 0 {
		b = strconv.AppendUint(append(b, "goto_table:"...), uint64(f.Goto), 10)
		b = append(b, ',')
	}
	return endActions(b, before)
}

// endActions drops the last comma, or says that there are no actions.
func endActions(b []byte, start int) string {
	if len(b) == start {
		return string(append(b, "drop"...))
	}
	return string(b[:len(b)-1])
}

// String is the match as ovs-ofctl prints it.
func (m Match) String() string {
	return strings.TrimSuffix(string(appendMatch(nil, m)), ",")
}
