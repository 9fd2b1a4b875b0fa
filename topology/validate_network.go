package topology

import (
	"fmt"
	"net/netip"
)

// The MTUs that a network can have, in bytes of IP packet. The lower bounds are
// what every IPv4 host (RFC 791) and every IPv6 link (RFC 8200, 5) must carry.
const (
	MinMTU     = 576
	MinMTUv6   = 1280
	MaxMTU     = 9000
	DefaultMTU = 1450 // what VXLAN leaves of 1500
)

func validateNetwork(n *Network) error {
	key, s := n.Key(), n.Spec
	if s.VNI > MaxVNI {
		return invalid(key, "spec.vni", "%d is no VNI; it is 1 to %d, or 0 to have one allocated", s.VNI, MaxVNI)
	}
	if len(s.Subnets) > MaxSubnets {
		return invalid(key, "spec.subnets", "%d subnets; at most %d", len(s.Subnets), MaxSubnets)
	}
	cidrs := make([]netip.Prefix, len(s.Subnets))
	for i, sub := range s.Subnets {
		if err := validateSubnet(key, fmt.Sprintf("spec.subnets[%d]", i), sub); err != nil {
			return err
		}
		cidrs[i] = sub.CIDR
	}
	return validateTogether(key, cidrs, s.MTU, DefaultMTU)
}

// validateTogether checks the subnets of a network together, and its MTU.
func validateTogether(key Key, cidrs []netip.Prefix, mtu, defaultMTU int) error {
	if mtu != 0 && (mtu < MinMTU || mtu > MaxMTU) {
		return invalid(key, "spec.mtu", "%d; an MTU is %d to %d, or 0 for %d", mtu, MinMTU, MaxMTU, defaultMTU)
	}
	for i, p := range cidrs {
		if p.Addr().Is6() && mtu != 0 && mtu < MinMTUv6 {
			return invalid(key, "spec.mtu", "%d is too small for the IPv6 subnet %s; at least %d", mtu, p, MinMTUv6)
		}
		for j, other := range cidrs[:i] {
			if p.Overlaps(other) {
				return invalid(key, fmt.Sprintf("spec.subnets[%d].cidr", i), "%s overlaps spec.subnets[%d], %s", p, j, other)
			}
		}
	}
	return nil
}

func validateSubnet(key Key, field string, s Subnet) error {
	if reason := checkPrefix(s.CIDR); reason != "" {
		return invalid(key, field+".cidr", "%s", reason)
	}
	longest := 30
	if s.CIDR.Addr().Is6() {
		longest = 126
	}
	if s.CIDR.Bits() > longest {
		return invalid(key, field+".cidr", "%s is too small for a gateway and an endpoint; at most /%d", s.CIDR, longest)
	}
	if s.CIDR.Bits() == 0 {
		return invalid(key, field+".cidr", "%s is everything; a subnet is a part of the addresses", s.CIDR)
	}
	if what, bad := special(s.CIDR); bad {
		return invalid(key, field+".cidr", "%s is in, or holds, %s; choose a unicast range such as 10.0.0.0/24", s.CIDR, what)
	}
	if !s.Gateway.IsValid() {
		return nil
	}
	if reason := checkAddr(s.Gateway); reason != "" {
		return invalid(key, field+".gateway", "%s", reason)
	}
	if !s.CIDR.Contains(s.Gateway) {
		return invalid(key, field+".gateway", "%s is not in %s; choose an address of it, or leave it out for %s", s.Gateway, s.CIDR, firstHost(s.CIDR))
	}
	if reason := notForHosts(s.CIDR, s.Gateway); reason != "" {
		return invalid(key, field+".gateway", "%s; choose another, or leave it out for %s", reason, firstHost(s.CIDR))
	}
	return nil
}
