package rest

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// foreignHost refuses a request over loopback for another name than localhost: a
// page whose name was made to resolve to 127.0.0.1 (DNS rebinding) is of the same
// origin to the browser, and only the name gives it away.
func foreignHost(r *http.Request) *Problem {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return nil
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil || !at.Addr().Unmap().IsLoopback() || isLocalName(r.Host) {
		return nil
	}
	return problem(http.StatusMisdirectedRequest, "foreign-host", "Misdirected Request",
		"over loopback the API answers to localhost and to IP addresses, not to %q: use those, or have a proxy set the header Host", clip(r.Host))
}

func isLocalName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
