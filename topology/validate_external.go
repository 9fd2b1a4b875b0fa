package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The bounds of what external networks, gateways and floating IPs may hold.
const (
	MaxExternalSubnets = 16  // of an external network
	MaxNextHops        = 8   // of a subnet
	MaxPools           = 64  // of a subnet
	MaxGatewayHosts    = 8   // of a gateway
	MaxRouterGateways  = 4   // of a router
	MaxDestinations    = 256 // of a router at one gateway
	MaxSNATAddresses   = 16  // of a router at one gateway
	MaxPortForwards    = 256 // of a floating IP
	MaxSources         = 64  // of a floating IP
	maxWeight          = 100
	// DefaultExternalMTU is Ethernet's.
	DefaultExternalMTU = 1500
)

func validateExternal(x *ExternalNetwork) error {
	key, s := x.Key(), x.Spec
	if reason := checkPhysicalNetwork(s.PhysicalNetwork); reason != "" {
		return invalid(key, "spec.physicalNetwork", "%s", reason)
	}
	if s.VLAN < 0 || s.VLAN > 4094 {
		return invalid(key, "spec.vlan", "%d is no VLAN; it is 1 to 4094, or 0 for untagged", s.VLAN)
	}
	if len(s.Subnets) == 0 || len(s.Subnets) > MaxExternalSubnets {
		return invalid(key, "spec.subnets", "%d subnets; 1 to %d", len(s.Subnets), MaxExternalSubnets)
	}
	cidrs := make([]netip.Prefix, len(s.Subnets))
	for i, sub := range s.Subnets {
		if err := validateExternalSubnet(key, fmt.Sprintf("spec.subnets[%d]", i), sub); err != nil {
			return err
		}
		cidrs[i] = sub.CIDR
	}
	if err := validateBGP(key, s.BGP); err != nil {
		return err
	}
	return validateTogether(key, cidrs, s.MTU, DefaultExternalMTU)
}

// checkPhysicalNetwork says what is wrong with the name of a physical network, or
// "". It must be possible in a bridge mapping.
func checkPhysicalNetwork(s string) string {
	const want = `it is a name in the hosts' external_ids:dovetail-bridge-mappings, such as "physnet1": 1 to 63 characters of a-z, A-Z, 0-9, '.', '_' and '-'`
	ok := s != "" && len(s) <= 63
	for i := 0; i < len(s) && ok; i++ {
		ok = alphanumeric(s[i]) || strings.IndexByte("._-", s[i]) >= 0
	}
	if !ok {
		return fmt.Sprintf("%s is no physical network; %s", quoteShort(s), want)
	}
	return ""
}

func validateExternalSubnet(key Key, field string, s ExternalSubnet) error {
	if err := validateSubnet(key, field, Subnet{CIDR: s.CIDR}); err != nil {
		return err
	}
	if len(s.NextHops) > MaxNextHops {
		return invalid(key, field+".nextHops", "%d next hops; at most %d", len(s.NextHops), MaxNextHops)
	}
	for i, a := range s.NextHops {
		at := fmt.Sprintf("%s.nextHops[%d]", field, i)
		if reason := addressOf(s.CIDR, a); reason != "" {
			return invalid(key, at, "%s", reason)
		}
		for j, b := range s.NextHops[:i] {
			if a == b {
				return invalid(key, at, "%s is nextHops[%d] already", a, j)
			}
		}
	}
	if len(s.Pools) > MaxPools {
		return invalid(key, field+".pools", "%d pools; at most %d", len(s.Pools), MaxPools)
	}
	for i, r := range s.Pools {
		at := fmt.Sprintf("%s.pools[%d]", field, i)
		if !r.First.IsValid() {
			return invalid(key, at, "write a range of addresses such as 192.0.2.10-192.0.2.50")
		}
		if !s.CIDR.Contains(r.First) || !s.CIDR.Contains(r.Last) {
			return invalid(key, at, "%s is not within %s", r, s.CIDR)
		}
		for j, o := range s.Pools[:i] {
			if r.overlaps(o) {
				return invalid(key, at, "%s overlaps pools[%d], %s", r, j, o)
			}
		}
	}
	return nil
}

// addressOf says why an address cannot be that of a machine in the prefix, or "".
func addressOf(p netip.Prefix, a netip.Addr) string {
	if reason := checkAddr(a); reason != "" {
		return reason
	}
	if !p.Contains(a) {
		return fmt.Sprintf("%s is not in %s", a, p)
	}
	return notForHosts(p, a)
}

func validateGateway(g *Gateway) error {
	key, s := g.Key(), g.Spec
	if reason := checkName(s.ExternalNetwork); reason != "" {
		return invalid(key, "spec.externalNetwork", "%s", reason)
	}
	if len(s.Hosts) == 0 || len(s.Hosts) > MaxGatewayHosts {
		return invalid(key, "spec.hosts", "%d hosts; 1 to %d", len(s.Hosts), MaxGatewayHosts)
	}
	for i, h := range s.Hosts {
		field := fmt.Sprintf("spec.hosts[%d]", i)
		if reason := checkHostName(h.Name); reason != "" {
			return invalid(key, field+".name", "%s", reason)
		}
		if h.Weight < 0 || h.Weight > maxWeight {
			return invalid(key, field+".weight", "%d; a weight is 0 to %d", h.Weight, maxWeight)
		}
		for j, o := range s.Hosts[:i] {
			if h.Name == o.Name {
				return invalid(key, field+".name", "%s is spec.hosts[%d] already", quoteShort(h.Name), j)
			}
		}
	}
	if most := 2 * len(g.laneHosts()); len(s.Addresses) > most {
		return invalid(key, "spec.addresses", "%d addresses; at most %d: one of each IP version, for each host with a weight", len(s.Addresses), most)
	}
	return validateAddresses(key, "spec.addresses", s.Addresses)
}

// validateAddresses checks the form of external addresses that are chosen.
func validateAddresses(key Key, field string, list []netip.Addr) error {
	for i, a := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if reason := checkAddr(a); reason != "" {
			return invalid(key, at, "%s", reason)
		}
		for j, b := range list[:i] {
			if a == b {
				return invalid(key, at, "%s is %s[%d] already", a, field, j)
			}
		}
	}
	return nil
}

func validateFloatingIP(f *FloatingIP) error {
	key, s := f.Key(), f.Spec
	if reason := checkName(s.Gateway); reason != "" {
		return invalid(key, "spec.gateway", "%s", reason)
	}
	if s.Address.IsValid() {
		if reason := checkAddr(s.Address); reason != "" {
			return invalid(key, "spec.address", "%s", reason)
		}
	}
	if s.Endpoint != "" && len(s.Ports) > 0 {
		return invalid(key, "spec.ports", "either the whole address stands for spec.endpoint, or single ports for those of endpoints: leave one of the two out")
	}
	if s.Endpoint != "" {
		if reason := checkName(s.Endpoint); reason != "" {
			return invalid(key, "spec.endpoint", "%s", reason)
		}
	}
	if err := validateEndpointAddress(key, s); err != nil {
		return err
	}
	if err := validatePorts(key, s.Ports); err != nil {
		return err
	}
	if len(s.Sources) > MaxSources {
		return invalid(key, "spec.sources", "%d prefixes; at most %d", len(s.Sources), MaxSources)
	}
	for i, p := range s.Sources {
		if reason := checkPrefix(p); reason != "" {
			return invalid(key, fmt.Sprintf("spec.sources[%d]", i), "%s", reason)
		}
	}
	return nil
}

func validateEndpointAddress(key Key, s FloatingIPSpec) error {
	a := s.EndpointAddress
	if !a.IsValid() {
		return nil
	}
	const field = "spec.endpointAddress"
	switch reason := checkAddr(a); {
	case reason != "":
		return invalid(key, field, "%s", reason)
	case s.Endpoint == "":
		return invalid(key, field, "there is no spec.endpoint that it could be of; leave it out")
	case s.Address.IsValid() && a.Is4() != s.Address.Is4():
		return invalid(key, field, "%s and spec.address %s are of different IP versions", a, s.Address)
	}
	return nil
}

func validatePorts(key Key, ports []PortForward) error {
	if len(ports) > MaxPortForwards {
		return invalid(key, "spec.ports", "%d ports; at most %d", len(ports), MaxPortForwards)
	}
	type place struct {
		endpoint, protocol string
		port               int
	}
	outside, inside := map[place]int{}, map[place]int{}
	for i, p := range ports {
		field := fmt.Sprintf("spec.ports[%d]", i)
		if p.Protocol != "tcp" && p.Protocol != "udp" {
			return invalid(key, field+".protocol", "%s; it is tcp or udp", quoteShort(p.Protocol))
		}
		if p.Port < 1 || p.Port > 65535 {
			return invalid(key, field+".port", "%d is no port; it is 1 to 65535", p.Port)
		}
		if p.EndpointPort < 0 || p.EndpointPort > 65535 {
			return invalid(key, field+".endpointPort", "%d is no port; it is 1 to 65535, or 0 for the same", p.EndpointPort)
		}
		if reason := checkName(p.Endpoint); reason != "" {
			return invalid(key, field+".endpoint", "%s", reason)
		}
		at, to := place{"", p.Protocol, p.Port}, place{p.Endpoint, p.Protocol, p.target()}
		if j, twice := outside[at]; twice {
			return invalid(key, field+".port", "%s port %d is that of spec.ports[%d] already", p.Protocol, p.Port, j)
		}
		if j, twice := inside[to]; twice {
			return invalid(key, field+".endpointPort", "spec.ports[%d] stands for %s port %d of endpoint %s already, and replies could not be told apart; choose another port", j, p.Protocol, to.port, p.Endpoint)
		}
		outside[at], inside[to] = i, i
	}
	return nil
}

// validateRouterGateways checks a router's gateways. destinations has the static
// routes' already.
func validateRouterGateways(r *Router, destinations map[netip.Prefix]string) error {
	key := r.Key()
	if len(r.Spec.Gateways) > MaxRouterGateways {
		return invalid(key, "spec.gateways", "%d gateways; at most %d", len(r.Spec.Gateways), MaxRouterGateways)
	}
	for i, g := range r.Spec.Gateways {
		field := fmt.Sprintf("spec.gateways[%d]", i)
		if reason := checkName(g.Name); reason != "" {
			return invalid(key, field+".name", "%s", reason)
		}
		for j, o := range r.Spec.Gateways[:i] {
			if g.Name == o.Name {
				return invalid(key, field+".name", "%s is spec.gateways[%d] already", g.Name, j)
			}
		}
		if err := validateServicesOnly(key, field, g); err != nil {
			return err
		}
		if err := validateDestinations(key, field, g, destinations); err != nil {
			return err
		}
		if len(g.Addresses) > MaxSNATAddresses {
			return invalid(key, field+".addresses", "%d addresses; at most %d", len(g.Addresses), MaxSNATAddresses)
		}
		if err := validateAddresses(key, field+".addresses", g.Addresses); err != nil {
			return err
		}
		for j, a := range g.Addresses {
			if !a.Is4() {
				return invalid(key, fmt.Sprintf("%s.addresses[%d]", field, j), "%s: only IPv4 is translated; IPv6 keeps its own addresses", a)
			}
		}
		for j, name := range g.RoutedNetworks {
			if !slices.Contains(r.Spec.Networks, name) {
				return invalid(key, fmt.Sprintf("%s.routedNetworks[%d]", field, j), "%s is none of spec.networks", quoteShort(name))
			}
		}
	}
	return nil
}

// validateServicesOnly checks that a connection for services alone is for nothing else.
func validateServicesOnly(key Key, field string, g RouterGateway) error {
	const reason = "it must be empty, since %s.servicesOnly lets nothing but services pass; leave one of the two out"
	switch {
	case !g.ServicesOnly:
		return nil
	case len(g.Destinations) > 0:
		return invalid(key, field+".destinations", reason, field)
	case len(g.RoutedNetworks) > 0:
		return invalid(key, field+".routedNetworks", reason, field)
	}
	return nil
}

func validateDestinations(key Key, field string, g RouterGateway, destinations map[netip.Prefix]string) error {
	if len(g.Destinations) > MaxDestinations {
		return invalid(key, field+".destinations", "%d prefixes; at most %d", len(g.Destinations), MaxDestinations)
	}
	for j, p := range g.Prefixes() {
		at := field
		if len(g.Destinations) > 0 {
			at = fmt.Sprintf("%s.destinations[%d]", field, j)
		}
		if reason := checkPrefix(p); reason != "" {
			return invalid(key, at, "%s", reason)
		}
		if what, bad := withinSpecial(p); bad {
			return invalid(key, at, "%s is in %s, which is not routed", p, what)
		}
		if other, taken := destinations[p]; taken {
			return invalid(key, at, "%s is a destination of %s already; say in spec.gateways[…].destinations what goes where", p, other)
		}
		destinations[p] = field
	}
	return nil
}
