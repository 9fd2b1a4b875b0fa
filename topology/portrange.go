package topology

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRange is the ports from First to Last, both included. It is written as a range
// "8000-8100" or one port "80".
type PortRange struct{ First, Last uint16 }

// ParsePortRange reads one of the two forms.
func ParsePortRange(s string) (PortRange, error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, ok := parsePort(from)
	last, ok2 := parsePort(to)
	if !ok || !ok2 || last < first {
		return PortRange{}, fmt.Errorf("%s is no range of ports; write it like 80 or 8000-8100, within 1 to 65535", quoteShort(s))
	}
	return PortRange{first, last}, nil
}

func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	return uint16(n), err == nil && n > 0
}

// String is the range "FIRST-LAST", or the port if there is only one; "" for the zero
// value.
func (r PortRange) String() string {
	switch {
	case r == PortRange{}:
		return ""
	case r.First == r.Last:
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// MarshalText implements encoding.TextMarshaler.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *PortRange) UnmarshalText(b []byte) error {
	v, err := ParsePortRange(string(b))
	*r = v
	return err
}

func (r PortRange) overlaps(o PortRange) bool { return r.First <= o.Last && o.First <= r.Last }
