package topology

import (
	"fmt"
	"net/netip"
	"strings"
)

func validateEndpoint(e *Endpoint) error {
	key, s := e.Key(), e.Spec
	if reason := checkName(s.Network); reason != "" {
		return invalid(key, "spec.network", "%s", reason)
	}
	if len(s.Addresses) > MaxAddresses {
		return invalid(key, "spec.addresses", "%d addresses; at most %d", len(s.Addresses), MaxAddresses)
	}
	for i, a := range s.Addresses {
		field := fmt.Sprintf("spec.addresses[%d]", i)
		if reason := checkAddr(a); reason != "" {
			return invalid(key, field, "%s", reason)
		}
		for j, other := range s.Addresses[:i] {
			if a == other {
				return invalid(key, field, "%s is spec.addresses[%d] already", a, j)
			}
		}
	}
	if reason := checkMAC(s.MAC); reason != "" {
		return invalid(key, "spec.mac", "%s", reason)
	}
	if err := validateAllowed(key, s.AllowedAddresses); err != nil {
		return err
	}
	return validateInterfaceID(key, s.InterfaceID)
}

// checkMAC says what is wrong with a MAC address that may be unset, or "".
func checkMAC(m MAC) string {
	switch {
	case m.IsZero():
		return ""
	case m[0]&1 != 0:
		return fmt.Sprintf("%s is a multicast address (the lowest bit of its first byte is set); choose a unicast one such as 02:00:0a:01:00:05", m)
	case m == GatewayMAC:
		return fmt.Sprintf("%s is the MAC address of every router; choose another", m)
	case m == PassedOnMAC:
		return fmt.Sprintf("%s is a MAC address of the hosts of gateways; choose another", m)
	case m == OutsideMAC:
		return fmt.Sprintf("%s is the MAC address of what comes into service chains from outside; choose another", m)
	case m == ProbeMAC || m == ProbeBackMAC:
		return fmt.Sprintf("%s is a MAC address of the probes of service functions; choose another", m)
	}
	return ""
}

func validateAllowed(key Key, list []AllowedAddress) error {
	if len(list) > MaxAllowedAddresses {
		return invalid(key, "spec.allowedAddresses", "%d entries; at most %d", len(list), MaxAllowedAddresses)
	}
	for i, a := range list {
		field := fmt.Sprintf("spec.allowedAddresses[%d]", i)
		if reason := checkPrefix(a.Prefix); reason != "" {
			return invalid(key, field+".prefix", "%s", reason)
		}
		if what, bad := withinSpecial(a.Prefix); bad {
			return invalid(key, field+".prefix", "%s is in %s, which is never a source", a.Prefix, what)
		}
		if reason := checkMAC(a.MAC); reason != "" {
			return invalid(key, field+".mac", "%s", reason)
		}
		for j, other := range list[:i] {
			if a == other {
				return invalid(key, field, "the same as spec.allowedAddresses[%d]", j)
			}
		}
	}
	return nil
}

// validateInterfaceID keeps ids with a '/' within their tenant. So the default id
// of an endpoint, TENANT/NAME, can never be taken by another tenant, and its
// uniqueness is a matter of one tenant alone.
func validateInterfaceID(key Key, id string) error {
	if id == "" {
		return nil
	}
	ok := len(id) <= 255
	for i := 0; i < len(id) && ok; i++ {
		ok = id[i] > ' ' && id[i] < 0x7f
	}
	if !ok {
		return invalid(key, "spec.interfaceID", "%s is no interface id; it has 1 to 255 printable ASCII characters and no spaces", quoteShort(id))
	}
	if strings.Contains(id, "/") && !strings.HasPrefix(id, key.Tenant+"/") {
		return invalid(key, "spec.interfaceID", "%s contains a '/' but does not start with %q: such ids are for the endpoints of that tenant; use an id without '/'", quoteShort(id), key.Tenant+"/")
	}
	return nil
}

func validateHost(h *Host) error {
	if h.Spec.Address == "" {
		return nil
	}
	const want = "an address is like tcp:192.0.2.11:6640 or ssl:[2001:db8::11]:6640"
	proto, rest, _ := strings.Cut(h.Spec.Address, ":")
	if proto != "tcp" && proto != "ssl" {
		return invalid(h.Key(), "spec.address", "%s starts with neither tcp: nor ssl:; %s", quoteShort(h.Spec.Address), want)
	}
	ap, err := netip.ParseAddrPort(rest)
	if err != nil || ap.Port() == 0 {
		return invalid(h.Key(), "spec.address", "%s is no IP address and port; %s", quoteShort(rest), want)
	}
	if a := ap.Addr().Unmap(); a.IsUnspecified() || a.IsMulticast() {
		return invalid(h.Key(), "spec.address", "%s cannot be dialled; %s", quoteShort(rest), want)
	}
	return nil
}

// validateReport checks what a host says of itself; it comes from the network.
func validateReport(key Key, a *HostAllocation) error {
	if a.EncapIP.IsValid() {
		if reason := checkAddr(a.EncapIP); reason != "" {
			return invalid(key, "allocated.encapIP", "%s", reason)
		}
		if a.EncapIP.IsUnspecified() || a.EncapIP.IsMulticast() {
			return invalid(key, "allocated.encapIP", "%s cannot be the address of a VTEP", a.EncapIP)
		}
	}
	if len(a.BridgeMappings) > 256 {
		return invalid(key, "allocated.bridgeMappings", "%d mappings; at most 256", len(a.BridgeMappings))
	}
	for field, text := range map[string]string{"hostname": a.Hostname, "datapathType": a.DatapathType, "version": a.Version} {
		if reason := checkText(text, 255); reason != "" {
			return invalid(key, "allocated."+field, "%s", reason)
		}
	}
	for k, v := range a.BridgeMappings {
		if reason := checkText(k+v, 255); reason != "" {
			return invalid(key, "allocated.bridgeMappings", "%s", reason)
		}
	}
	return nil
}
