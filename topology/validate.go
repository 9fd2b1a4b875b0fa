package topology

import (
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// The bounds of what one object may hold.
const (
	MaxLabels           = 64
	MaxSubnets          = 16   // of a network
	MaxRouterNetworks   = 256  // of a router
	MaxStaticRoutes     = 1024 // of a router
	MaxAddresses        = 16   // of an endpoint
	MaxAllowedAddresses = 64   // of an endpoint
	// MaxVNI is the highest VNI of a network. Those above say where in a chain a packet is,
	// but for the highest five, by which hosts watch gateways.
	MaxVNI = 0xBFFFFF
)

// Validate says whether an object can be right by itself, whatever else exists.
// The error is an *InvalidError.
func Validate(o Object) error {
	key := o.Key()
	if err := validateMetadata(key, o.Meta()); err != nil {
		return err
	}
	switch o := o.(type) {
	case *Tenant:
		return validateTenant(o)
	case *Network:
		return validateNetwork(o)
	case *Router:
		return validateRouter(o)
	case *Endpoint:
		return validateEndpoint(o)
	case *Host:
		return validateHost(o)
	case *ExternalNetwork:
		return validateExternal(o)
	case *Gateway:
		return validateGateway(o)
	case *FloatingIP:
		return validateFloatingIP(o)
	case *Service:
		return validateService(o)
	case *ServiceFunction:
		return validateFunction(o)
	case *Chain:
		return validateChain(o)
	}
	return invalid(key, "kind", "unknown kind %T", o)
}

func invalid(key Key, field, format string, args ...any) *InvalidError {
	return &InvalidError{Key: key, Field: field, Reason: fmt.Sprintf(format, args...)}
}

func validateMetadata(key Key, m *Metadata) error {
	if key.Kind == KindHost {
		if err := checkHostName(m.Name); err != "" {
			return invalid(key, "metadata.name", "%s", err)
		}
	} else if err := checkName(m.Name); err != "" {
		return invalid(key, "metadata.name", "%s", err)
	}
	switch {
	case !key.Kind.Scoped() && m.Tenant != "":
		return invalid(key, "metadata.tenant", "a %s belongs to no tenant; leave it out", key.Kind)
	case key.Kind.Scoped():
		if err := checkName(m.Tenant); err != "" {
			return invalid(key, "metadata.tenant", "%s", err)
		}
	}
	return validateLabels(key, "metadata.labels", m.Labels)
}

// checkName says what is wrong with a name, which is an RFC 1123 label, or "".
func checkName(s string) string {
	const want = "a name has 1 to 63 characters of a-z, 0-9 and '-', and starts and ends with a letter or digit"
	if s == "" {
		return "missing; " + want
	}
	ok := len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-'
	for i := 0; i < len(s) && ok; i++ {
		ok = lowerOrDigit(s[i]) || s[i] == '-'
	}
	if !ok {
		return fmt.Sprintf("%s is no name; %s", quoteShort(s), want)
	}
	return ""
}

// checkHostName says what is wrong with a host's name, which is its
// Open_vSwitch external_ids:system-id, or "".
func checkHostName(s string) string {
	const want = "a host's name is its system-id: 1 to 253 characters of a-z, A-Z, 0-9, '.', ':', '_' and '-', starting with a letter or digit"
	if s == "" {
		return "missing; " + want
	}
	ok := len(s) <= 253 && alphanumeric(s[0])
	for i := 0; i < len(s) && ok; i++ {
		ok = alphanumeric(s[i]) || s[i] == '.' || s[i] == ':' || s[i] == '_' || s[i] == '-'
	}
	if !ok {
		return fmt.Sprintf("%s is no name of a host; %s", quoteShort(s), want)
	}
	return ""
}

func lowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func alphanumeric(c byte) bool { return lowerOrDigit(c) || c >= 'A' && c <= 'Z' }

// quoteShort quotes what a user wrote, cut so that errors stay readable.
func quoteShort(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%.80q…", s)
	}
	return fmt.Sprintf("%q", s)
}

func validateLabels(key Key, at string, labels map[string]string) error {
	if len(labels) > MaxLabels {
		return invalid(key, at, "%d labels; at most %d", len(labels), MaxLabels)
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		field := at + "[" + k + "]"
		if !labelKey(k) {
			return invalid(key, field, "a label's key has 1 to 253 characters of a-z, A-Z, 0-9, '.', '_', '-' and '/', and starts and ends with a letter or digit")
		}
		if reason := checkText(labels[k], 255); reason != "" {
			return invalid(key, field, "%s", reason)
		}
	}
	return nil
}

func labelKey(s string) bool {
	if s == "" || len(s) > 253 || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '.' && c != '_' && c != '-' && c != '/' {
			return false
		}
	}
	return true
}

// checkText says what is wrong with a text for people, or "".
func checkText(s string, limit int) string {
	switch {
	case len(s) > limit:
		return fmt.Sprintf("%d bytes long; at most %d", len(s), limit)
	case !utf8.ValidString(s):
		return "not UTF-8"
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return fmt.Sprintf("contains the control character %q", r)
		}
	}
	return ""
}

func validateTenant(t *Tenant) error {
	if reason := checkText(t.Spec.Description, 1024); reason != "" {
		return invalid(t.Key(), "spec.description", "%s", reason)
	}
	return nil
}
