package ovsdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The types in this file decode the values of RFC 7047 section 5.1 as they come
// from a host. They are ours because the decoders of libovsdb index slices and
// assert types without looking, and so panic on values such as ["uuid"].

var errValue = errors.New("not an OVSDB value of this column's type")

// strMap is a map of strings: ["map",[["k","v"],…]].
type strMap map[string]string

func (m *strMap) UnmarshalJSON(b []byte) error {
	body, ok, err := tagged(b, "map")
	if err != nil {
		return err
	}
	if !ok {
		return errValue
	}
	var pairs []pair
	if err := json.Unmarshal(body, &pairs); err != nil {
		return err
	}
	*m = nil
	if len(pairs) == 0 {
		return nil
	}
	*m = make(strMap, len(pairs))
	for _, p := range pairs {
		(*m)[p[0]] = p[1]
	}
	return nil
}

// bfdStatus is what is needed of the map Interface.bfd_status.
type bfdStatus struct{ known, forwarding bool }

func (s *bfdStatus) UnmarshalJSON(b []byte) error {
	var m strMap
	if err := m.UnmarshalJSON(b); err != nil {
		return err
	}
	*s = bfdStatus{known: len(m) > 0, forwarding: m["forwarding"] == "true"}
	return nil
}

// pair is exactly two strings; a plain [2]string would accept one or three.
type pair [2]string

func (p *pair) UnmarshalJSON(b []byte) error {
	var s []string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if len(s) != 2 {
		return errValue
	}
	p[0], p[1] = s[0], s[1]
	return nil
}

// strSet is a set of strings: "a" or ["set",["a","b"]].
type strSet []string

func (s *strSet) UnmarshalJSON(b []byte) error {
	*s = nil
	body, ok, err := tagged(b, "set")
	if err != nil {
		return err
	}
	if ok {
		var v []string
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		if len(v) > 0 {
			*s = v
		}
		return nil
	}
	var one string
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*s = strSet{one}
	return nil
}

// optStr is a string that may be absent; absent and empty are the same here.
type optStr string

func (s *optStr) UnmarshalJSON(b []byte) error {
	var set strSet
	if err := set.UnmarshalJSON(b); err != nil {
		return err
	}
	switch len(set) {
	case 0:
		*s = ""
	case 1:
		*s = optStr(set[0])
	default:
		return errValue
	}
	return nil
}

// optInt is an integer that may be absent; absent and 0 are the same here.
type optInt int64

func (i *optInt) UnmarshalJSON(b []byte) error {
	body, ok, err := tagged(b, "set")
	if err != nil {
		return err
	}
	if !ok {
		body = b
		return json.Unmarshal(body, (*int64)(i))
	}
	var v []int64
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	switch len(v) {
	case 0:
		*i = 0
	case 1:
		*i = optInt(v[0])
	default:
		return errValue
	}
	return nil
}

// uuidSet is a set of row references: ["uuid","…"] or ["set",[["uuid","…"],…]].
type uuidSet []string

func (s *uuidSet) UnmarshalJSON(b []byte) error {
	*s = nil
	body, ok, err := tagged(b, "set")
	if err != nil {
		return err
	}
	if !ok {
		var one uuidRef
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		*s = uuidSet{string(one)}
		return nil
	}
	var refs []uuidRef
	if err := json.Unmarshal(body, &refs); err != nil {
		return err
	}
	if len(refs) == 0 {
		return nil
	}
	*s = make(uuidSet, len(refs))
	for i, r := range refs {
		(*s)[i] = string(r)
	}
	return nil
}

type uuidRef string

func (u *uuidRef) UnmarshalJSON(b []byte) error {
	var s []string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if len(s) != 2 || s[0] != "uuid" || !isUUID(s[1]) {
		return errValue
	}
	*u = uuidRef(s[1])
	return nil
}

// tagged takes apart ["tag",body]. It is not ok if b is something else that may
// still be a value: an atom, or ["uuid",…].
func tagged(b []byte, tag string) (body json.RawMessage, ok bool, err error) {
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) == 0 || b[0] != '[' {
		return nil, false, nil
	}
	// Two elements are enough to know; a third says that it is not a value.
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return nil, false, err
	}
	if len(parts) != 2 {
		return nil, false, errValue
	}
	var name string
	if err := json.Unmarshal(parts[0], &name); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errValue, err)
	}
	if name != tag {
		return nil, false, nil
	}
	if len(parts[1]) == 0 || parts[1][0] != '[' {
		return nil, false, errValue
	}
	return parts[1], true, nil
}

// isUUID says whether s is written as in RFC 4122, in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
