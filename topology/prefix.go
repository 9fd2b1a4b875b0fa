package topology

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// specialRanges are never the addresses of a tenant's network.
var specialRanges = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), `the "this network" range`},
	{netip.MustParsePrefix("127.0.0.0/8"), "the loopback range"},
	{netip.MustParsePrefix("169.254.0.0/16"), "the link-local range"},
	{netip.MustParsePrefix("224.0.0.0/4"), "the multicast range"},
	{netip.MustParsePrefix("240.0.0.0/4"), "the reserved range"},
	{netip.MustParsePrefix("::/96"), "the unspecified and loopback range"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "the IPv4-mapped range"},
	{netip.MustParsePrefix("fe80::/10"), "the link-local range"},
	{netip.MustParsePrefix("ff00::/8"), "the multicast range"},
}

// withinSpecial says in which special range the prefix lies. Wider prefixes, such
// as a default route, may hold special ranges.
func withinSpecial(p netip.Prefix) (string, bool) {
	for _, r := range specialRanges {
		if within(r.prefix, p) {
			return fmt.Sprintf("%s %s", r.what, r.prefix), true
		}
	}
	return "", false
}

// within says whether all addresses of inner are in outer.
func within(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// special says which special range the prefix overlaps.
func special(p netip.Prefix) (string, bool) {
	for _, r := range specialRanges {
		if r.prefix.Overlaps(p) {
			return fmt.Sprintf("%s %s", r.what, r.prefix), true
		}
	}
	return "", false
}

// checkPrefix says what is wrong with the form of a prefix, or "".
func checkPrefix(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "write a prefix such as 10.0.0.0/24"
	case p.Addr().Is4In6():
		return fmt.Sprintf("%s is an IPv4-mapped IPv6 prefix; write it as IPv4", p)
	case p.Addr().Zone() != "":
		return fmt.Sprintf("%s has a zone; leave it out", p)
	case p != p.Masked():
		return fmt.Sprintf("%s has bits set behind its length; write %s", p, p.Masked())
	}
	return ""
}

// checkAddr says what is wrong with the form of an address, or "".
func checkAddr(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "write an IP address such as 10.0.0.5"
	case a.Is4In6():
		return fmt.Sprintf("%s is an IPv4-mapped IPv6 address; write %s", a, a.Unmap())
	case a.Zone() != "":
		return fmt.Sprintf("%s has a zone; leave it out", a)
	}
	return ""
}

// firstHost is the first address that a host can have; the address before it is
// the network's own (IPv4) or the subnet-router anycast address (RFC 4291, 2.6.1).
func firstHost(p netip.Prefix) netip.Addr { return p.Addr().Next() }

// lastAddr is the last address of a prefix: the broadcast address in IPv4.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// notForHosts says why an address of the prefix cannot be a host's, or "".
func notForHosts(p netip.Prefix, a netip.Addr) string {
	switch {
	case a == p.Addr() && a.Is4():
		return fmt.Sprintf("%s is the network address of %s", a, p)
	case a == p.Addr():
		return fmt.Sprintf("%s is the subnet-router anycast address of %s", a, p)
	case a.Is4() && a == lastAddr(p):
		return fmt.Sprintf("%s is the broadcast address of %s", a, p)
	}
	return ""
}

// offset is the address's distance from the start of the prefix; false if it is
// too far for a numbers set.
func offset(p netip.Prefix, a netip.Addr) (uint32, bool) {
	if !p.Contains(a) {
		return 0, false
	}
	x, y := p.Addr().As16(), a.As16()
	if binary.BigEndian.Uint64(x[:8]) != binary.BigEndian.Uint64(y[:8]) {
		return 0, false
	}
	d := binary.BigEndian.Uint64(y[8:]) - binary.BigEndian.Uint64(x[8:])
	return uint32(d), d < 1<<numbersBits
}

// atOffset is the address at the distance from the start of the prefix.
func atOffset(p netip.Prefix, n uint32) netip.Addr {
	b := p.Addr().As16()
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])+uint64(n))
	a := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		return a.Unmap()
	}
	return a
}

// size is the number of addresses of the prefix, at most 2^24.
func size(p netip.Prefix) uint32 {
	return 1 << min(numbersBits, p.Addr().BitLen()-p.Bits())
}
