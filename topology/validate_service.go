package topology

import (
	"fmt"
	"net/netip"
)

// The bounds of what services, and the announcement of routes, may hold.
const (
	MaxServicePorts = 64
	MaxBGPPeers     = 16 // of an external network
)

func validateService(v *Service) error {
	key, s := v.Key(), v.Spec
	if reason := checkName(s.Gateway); reason != "" {
		return invalid(key, "spec.gateway", "%s", reason)
	}
	if reason := checkUnicast(s.Address); reason != "" {
		return invalid(key, "spec.address", "%s", reason)
	}
	if err := validateInside(key, s); err != nil {
		return err
	}
	if len(s.Ports) == 0 || len(s.Ports) > MaxServicePorts {
		return invalid(key, "spec.ports", "%d ports; 1 to %d", len(s.Ports), MaxServicePorts)
	}
	seen := map[ServicePort]int{}
	for i, p := range s.Ports {
		field := fmt.Sprintf("spec.ports[%d]", i)
		if p.Protocol != "tcp" && p.Protocol != "udp" {
			return invalid(key, field+".protocol", "%s; it is tcp or udp", quoteShort(p.Protocol))
		}
		if p.Port < 1 || p.Port > 65535 {
			return invalid(key, field+".port", "%d is no port; it is 1 to 65535", p.Port)
		}
		if j, twice := seen[p]; twice {
			return invalid(key, field, "%s port %d is spec.ports[%d] already", p.Protocol, p.Port, j)
		}
		seen[p] = i
	}
	return nil
}

func validateInside(key Key, s ServiceSpec) error {
	a := s.InsideAddress
	if !a.IsValid() {
		return nil
	}
	const field = "spec.insideAddress"
	switch reason := checkUnicast(a); {
	case reason != "":
		return invalid(key, field, "%s", reason)
	case a.Is4() != s.Address.Is4():
		return invalid(key, field, "%s and spec.address %s are of different IP versions", a, s.Address)
	case a.Is6() && a != s.Address:
		return invalid(key, field, "%s: only IPv4 is translated; leave it out, and endpoints reach the service by spec.address %s", a, s.Address)
	}
	return nil
}

// checkUnicast says why an address can be no machine's in some network, or "".
func checkUnicast(a netip.Addr) string {
	if reason := checkAddr(a); reason != "" {
		return reason
	}
	if what, bad := withinSpecial(netip.PrefixFrom(a, a.BitLen())); bad {
		return fmt.Sprintf("%s is in %s; choose a unicast address that is routed", a, what)
	}
	return ""
}

func validateBGP(key Key, b *BGP) error {
	if b == nil {
		return nil
	}
	if reason := checkASN(b.ASN); reason != "" {
		return invalid(key, "spec.bgp.asn", "%s", reason)
	}
	if len(b.Peers) == 0 || len(b.Peers) > MaxBGPPeers {
		return invalid(key, "spec.bgp.peers", "%d peers; 1 to %d", len(b.Peers), MaxBGPPeers)
	}
	for i, p := range b.Peers {
		field := fmt.Sprintf("spec.bgp.peers[%d]", i)
		if reason := checkPeer(p.Address); reason != "" {
			return invalid(key, field+".address", "%s", reason)
		}
		if reason := checkASN(p.ASN); reason != "" {
			return invalid(key, field+".asn", "%s", reason)
		}
		for j, o := range b.Peers[:i] {
			if p.Address == o.Address {
				return invalid(key, field+".address", "%s is that of spec.bgp.peers[%d] already", p.Address, j)
			}
		}
	}
	return nil
}

// checkPeer says why an address cannot be dialled, or "". It may be on this machine.
func checkPeer(a netip.Addr) string {
	switch reason := checkAddr(a); {
	case reason != "":
		return reason
	case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Sprintf("%s cannot be dialled; it is the address of a router", a)
	case a.Is6() && a.IsLinkLocalUnicast():
		return fmt.Sprintf("%s is an address on one link only; choose one that is routed", a)
	}
	return ""
}

// checkASN says why a number cannot be that of an autonomous system, or "": 0, 65535
// and the last one are reserved (RFC 7607, RFC 7300), 23456 stands for numbers of
// four bytes (RFC 6793).
func checkASN(n uint32) string {
	if n == 0 || n == 23456 || n == 65535 || n == 1<<32-1 {
		return fmt.Sprintf("%d is no autonomous system number; it is 1 to 4294967294, and neither 23456 nor 65535", n)
	}
	return ""
}
