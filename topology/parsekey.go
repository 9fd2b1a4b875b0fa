package topology

import (
	"fmt"
	"strings"
)

// ParseKey reads what Key.String writes.
func ParseKey(s string) (Key, error) {
	kind, rest, ok := strings.Cut(s, " ")
	if !ok || rest == "" {
		return Key{}, fmt.Errorf("%q is not the name of an object; it is like %q", s, "Endpoint acme/web1")
	}
	if tenant, name, ok := strings.Cut(rest, "/"); ok && Kind(kind) != KindHost {
		return Key{Kind(kind), tenant, name}, nil
	}
	return Key{Kind: Kind(kind), Name: rest}, nil
}
