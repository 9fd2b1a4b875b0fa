package rest

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// refused says why a request is not served, whatever its body is.
func refused(r *http.Request) *Problem {
	// The API may be open on localhost, where any page in a browser reaches it.
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return problem(http.StatusForbidden, "cross-origin", "Forbidden", "a page of another site must not change anything: %v", err)
	}
	if p := foreignHost(r); p != nil {
		return p
	}
	if path := r.URL.EscapedPath(); strings.Contains(strings.ToLower(path), "%2f") {
		return problem(http.StatusNotFound, "not-found", "Not Found", "there is nothing at %s: no name has a slash in it", clip(path))
	}
	return conditions(r)
}

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
