package lab

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const managerPort = "6640"

// managerTarget is the OVSDB target that hosts get for what a user wrote: a target
// (ovsdb(7), "Connection Methods"), ADDRESS, ADDRESS:PORT, or :PORT of this machine.
func managerTarget(s string, here netip.Addr) (string, error) {
	if s == "" {
		return "tcp:" + net.JoinHostPort(here.String(), managerPort), nil
	}
	method, rest, ok := strings.Cut(s, ":")
	switch method {
	case "unix", "punix", "ptcp", "pssl":
		if ok && rest != "" {
			return s, nil
		}
	case "tcp", "ssl":
		if at, good := addressAndPort(rest, here); ok && good {
			return method + ":" + at, nil
		}
	default:
		if at, good := addressAndPort(s, here); good {
			return "tcp:" + at, nil
		}
	}
	return "", fmt.Errorf("%q is no OVSDB address of a controller; write it like tcp:192.0.2.1:6640, or :6640 for this machine", s)
}

func addressAndPort(s string, here netip.Addr) (string, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return net.JoinHostPort(a.String(), managerPort), true
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", false
	}
	if host == "" {
		host = here.String()
	}
	_, err = netip.ParseAddr(host)
	n, perr := strconv.ParseUint(port, 10, 16)
	return net.JoinHostPort(host, port), err == nil && perr == nil && n > 0
}

// Provisioned says whether a controller has made br-int. The Manager row's own
// is_connected is seconds late.
func (h *Host) Provisioned() (bool, error) {
	bridges, err := h.Vsctl("list-br")
	return slices.Contains(strings.Fields(bridges), "br-int"), err
}
