package topology

import "fmt"

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
	if s.MTU != 0 && (s.MTU < MinMTU || s.MTU > MaxMTU) {
		return invalid(key, "spec.mtu", "%d; an MTU is %d to %d, or 0 for %d", s.MTU, MinMTU, MaxMTU, DefaultMTU)
	}
	if len(s.Subnets) > MaxSubnets {
		return invalid(key, "spec.subnets", "%d subnets; at most %d", len(s.Subnets), MaxSubnets)
	}
	for i, sub := range s.Subnets {
		field := fmt.Sprintf("spec.subnets[%d]", i)
		if err := validateSubnet(key, field, sub); err != nil {
			return err
		}
		if sub.CIDR.Addr().Is6() && s.MTU != 0 && s.MTU < MinMTUv6 {
			return invalid(key, "spec.mtu", "%d is too small for the IPv6 subnet %s; at least %d", s.MTU, sub.CIDR, MinMTUv6)
		}
		for j, other := range s.Subnets[:i] {
			if sub.CIDR.Overlaps(other.CIDR) {
				return invalid(key, field+".cidr", "%s overlaps spec.subnets[%d], %s", sub.CIDR, j, other.CIDR)
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
