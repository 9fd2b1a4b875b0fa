package topology

import (
	"fmt"
	"net/netip"
	"strings"
)

// AddressRange is the addresses from First to Last, both included. It is written
// as a range "192.0.2.10-192.0.2.50", a prefix "192.0.2.64/26" or one address.
type AddressRange struct{ First, Last netip.Addr }

// ParseAddressRange reads one of the three forms.
func ParseAddressRange(s string) (AddressRange, error) {
	bad := fmt.Errorf("%s is no range of addresses; write it like 192.0.2.10-192.0.2.50 or 192.0.2.64/26", quoteShort(s))
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || p != p.Masked() {
			return AddressRange{}, bad
		}
		return AddressRange{p.Addr(), lastAddr(p)}, nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil {
		return AddressRange{}, bad
	}
	last, err := netip.ParseAddr(strings.TrimSpace(to))
	if err != nil || first.Is4() != last.Is4() || last.Less(first) {
		return AddressRange{}, bad
	}
	return AddressRange{first, last}, nil
}

// String is the range "FIRST-LAST", or the address if there is only one.
func (r AddressRange) String() string {
	switch {
	case !r.First.IsValid():
		return ""
	case r.First == r.Last:
		return r.First.String()
	}
	return r.First.String() + "-" + r.Last.String()
}

// MarshalText implements encoding.TextMarshaler.
func (r AddressRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *AddressRange) UnmarshalText(b []byte) error {
	v, err := ParseAddressRange(string(b))
	*r = v
	return err
}

func (r AddressRange) contains(a netip.Addr) bool {
	return a.Is4() == r.First.Is4() && !a.Less(r.First) && !r.Last.Less(a)
}

func (r AddressRange) overlaps(o AddressRange) bool {
	return r.contains(o.First) || o.contains(r.First)
}

// offset is the address's distance from the first; false if it is not in the range
// or too far for a numbers set.
func (r AddressRange) offset(a netip.Addr) (uint32, bool) {
	if !r.contains(a) {
		return 0, false
	}
	return offset(netip.PrefixFrom(r.First, 0), a)
}

// at is the address at the distance from the first.
func (r AddressRange) at(n uint32) netip.Addr { return atOffset(netip.PrefixFrom(r.First, 0), n) }
