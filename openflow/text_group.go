package openflow

import (
	"fmt"
	"strconv"
)

var groupTypeNames = [...]string{"all", "select", "indirect", "ff"}

// String is the type in ovs-ofctl syntax.
func (t GroupType) String() string {
	if int(t) < len(groupTypeNames) {
		return groupTypeNames[t]
	}
	return "unknown"
}

// String is the group as `ovs-ofctl --no-names dump-groups` prints it, without
// leading space: "group_id=7,type=all,bucket=actions=output:1".
func (g Group) String() string {
	b := fmt.Appendf(nil, "group_id=%d,type=%v", g.ID, g.Type)
	for _, bucket := range g.Buckets {
		b = append(b, ",bucket="...)
		usual := uint16(0)
		if g.Type == GroupSelect {
			usual = 1
		}
		if bucket.Weight != usual {
			b = fmt.Appendf(b, "weight:%d,", bucket.Weight)
		}
		if bucket.WatchPort != 0 {
			b = append(b, "watch_port:"...)
			b = append(append(b, portName(bucket.WatchPort)...), ',')
		}
		b = append(append(b, "actions="...), ActionsString(bucket.Actions)...)
	}
	return string(b)
}

// String is the meter in the syntax that `ovs-ofctl add-meter` reads:
// "meter=1,pktps,burst,band=type=drop,rate=100,burst_size=10". What
// dump-meters prints is laid out on two lines and cannot be read back.
func (m Meter) String() string {
	unit := "pktps"
	if m.KBPS {
		unit = "kbps"
	}
	b := append(fmt.Appendf(nil, "meter=%d,", m.ID), unit...)
	if m.Burst != 0 {
		b = append(b, ",burst"...)
	}
	b = strconv.AppendUint(append(b, ",band=type=drop,rate="...), uint64(m.Rate), 10)
	if m.Burst != 0 {
		b = strconv.AppendUint(append(b, ",burst_size="...), uint64(m.Burst), 10)
	}
	return string(b)
}
