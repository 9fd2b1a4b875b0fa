package openflow

import (
	"encoding/hex"
	"net/netip"
	"strconv"
)

// appendC prints like C's %#x.
func appendC(b []byte, v uint64) []byte {
	if v != 0 {
		b = append(b, "0x"...)
	}
	return strconv.AppendUint(b, v, 16)
}

func pad(s string, n int) string {
	for len(s) < n {
		s = "0" + s
	}
	return s
}

func appendMasked(b []byte, v *FieldValue, one func(b, value []byte) []byte) []byte {
	b = one(b, v.value())
	if !v.IsExact() {
		b = one(append(b, '/'), v.mask())
	}
	return b
}

func appendMAC(b, mac []byte) []byte {
	for i, c := range mac {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex.AppendEncode(b, []byte{c})
	}
	return b
}

// appendIP prints an IPv4 or IPv6 address with its prefix length, or its mask
// when that is none.
func appendIP(b []byte, v *FieldValue) []byte {
	b = appendAddr(b, v.value())
	if v.IsExact() {
		return b
	}
	if n, ok := prefixLen(v.mask()); ok {
		return strconv.AppendInt(append(b, '/'), int64(n), 10)
	}
	return appendAddr(append(b, '/'), v.mask())
}

func appendAddr(b, ip []byte) []byte {
	a, _ := netip.AddrFromSlice(ip)
	// Like C's inet_ntop, show the IPv4 address in ::a.b.c.d.
	if len(ip) == 16 && allZero(ip[:12]) && (ip[12]|ip[13]) != 0 {
		v4, _ := netip.AddrFromSlice(ip[12:])
		return v4.AppendTo(append(b, "::"...))
	}
	return a.AppendTo(b)
}

// appendHex prints 0x and the digits without leading zeros, and zero as 0.
func appendHex(b []byte, v *FieldValue) []byte {
	one := func(b, value []byte) []byte {
		if allZero(value) {
			return append(b, '0')
		}
		digits := hex.EncodeToString(value)
		for digits[0] == '0' {
			digits = digits[1:]
		}
		return append(append(b, "0x"...), digits...)
	}
	return appendMasked(b, v, one)
}

var (
	ctStateNames = []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}
	tcpFlagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"}
)

// appendFlags prints the flags that are set, or with a mask each as +flag or -flag.
func appendFlags(b []byte, v, mask, all uint64, names []string) []byte {
	exact := mask == all
	if exact && v == 0 {
		return append(b, '0')
	}
	first := true
	for i, name := range names {
		bit := uint64(1) << i
		switch {
		case !exact && mask&bit != 0 && v&bit != 0:
			b = append(append(b, '+'), name...)
		case !exact && mask&bit != 0:
			b = append(append(b, '-'), name...)
		case exact && v&bit != 0:
			if !first {
				b = append(b, '|')
			}
			b = append(b, name...)
			first = false
		}
	}
	return b
}

// fragName is the name of a match on fragments: bit 0 says that it is one, bit
// 1 that it is not the first.
func fragName(v *FieldValue) string {
	value, mask := v.Uint64(), lastUint(v.mask())
	names := map[[2]uint64]string{
		{0, 3}: "no", {1, 3}: "first", {3, 3}: "later", {2, 3}: "<error>",
		{0, 1}: "no", {1, 1}: "yes", {0, 2}: "not_later", {2, 2}: "later",
	}
	return names[[2]uint64{value, mask}]
}

// portName is the name of a reserved port, or the number.
func portName(p uint32) string {
	switch p {
	case PortInPort:
		return "IN_PORT"
	case 0xfffffff9:
		return "TABLE"
	case 0xfffffffa:
		return "NORMAL"
	case 0xfffffffb:
		return "FLOOD"
	case 0xfffffffc:
		return "ALL"
	case PortController:
		return "CONTROLLER"
	case PortLocal:
		return "LOCAL"
	case PortAny:
		return "ANY"
	}
	return strconv.FormatUint(uint64(p), 10)
}
