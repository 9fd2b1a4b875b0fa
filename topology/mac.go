package topology

import (
	"fmt"
	"net"
	"net/netip"
)

// MAC is an Ethernet address. The zero value means "not set".
type MAC [6]byte

// ParseMAC reads the colon form, 02:00:0a:01:00:05.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("%q is not a MAC address; write it like 02:00:0a:01:00:05", s)
	}
	return MAC(hw), nil
}

// String returns the colon form, or "" for the zero value.
func (m MAC) String() string {
	if m.IsZero() {
		return ""
	}
	return net.HardwareAddr(m[:]).String()
}

// IsZero says whether the address is not set.
func (m MAC) IsZero() bool { return m == MAC{} }

// MarshalText implements encoding.TextMarshaler.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; empty text is the zero value.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	v, err := ParseMAC(string(b))
	*m = v
	return err
}

// GatewayMAC is the MAC address of every router. No endpoint can have it.
var GatewayMAC = MAC{0x0e, 0x64, 0x76, 0x00, 0x00, 0x01}

// PassedOnMAC is the source of what hosts of gateways pass on to each other. No endpoint
// can have it.
var PassedOnMAC = MAC{0x0e, 0x64, 0x76, 0x00, 0x00, 0x02}

// OutsideMAC is the source of packets that come into a chain from outside. No endpoint can
// have it.
var OutsideMAC = MAC{0x0e, 0x64, 0x76, 0x00, 0x00, 0x03}

// ProbeMAC and ProbeBackMAC are the sources of probes that are sent through a transparent
// function: the first towards the destinations of its chains, the second towards the
// sources. They are two, so that the function never finds one station on both its sides.
// No endpoint can have them.
var (
	ProbeMAC     = MAC{0x0e, 0x64, 0x76, 0x00, 0x00, 0x04}
	ProbeBackMAC = MAC{0x0e, 0x64, 0x76, 0x00, 0x00, 0x05}
)

// Reserved says whether the address is one of ours, which no endpoint can have.
func (m MAC) Reserved() bool {
	switch m {
	case GatewayMAC, PassedOnMAC, OutsideMAC, ProbeMAC, ProbeBackMAC:
		return true
	}
	return false
}

// LinkLocal is the IPv6 link-local address that is derived from the MAC
// (RFC 4291, appendix A).
func (m MAC) LinkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}
