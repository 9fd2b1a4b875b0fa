package topology

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// This file fills structs from values as they come out of JSON, more strictly than
// encoding/json: unknown fields are errors, and every error says at which field.

// fieldError is what is wrong with one field of a document.
type fieldError struct{ path, reason string }

func (e *fieldError) Error() string { return e.path + ": " + e.reason }

func wrong(path, format string, args ...any) error {
	return &fieldError{path, fmt.Sprintf(format, args...)}
}

// fill sets to, which must be settable, from a value made of map[string]any, []any,
// string, json.Number, bool and nil.
func fill(path string, from any, to reflect.Value) error {
	if from == nil {
		return nil
	}
	if u, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return fillText(path, from, u)
	}
	switch to.Kind() {
	case reflect.Struct:
		return fillStruct(path, from, to)
	case reflect.Slice:
		return fillSlice(path, from, to)
	case reflect.Map:
		return fillMap(path, from, to)
	case reflect.String:
		s, ok := from.(string)
		if !ok {
			return wrong(path, "must be text; put %s in quotes", describe(from))
		}
		to.SetString(s)
	case reflect.Bool:
		b, ok := from.(bool)
		if !ok {
			return wrong(path, "must be true or false, not %s", describe(from))
		}
		to.SetBool(b)
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return fill(path, from, to.Elem())
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return fillNumber(path, from, to)
	default:
		return wrong(path, "fields of type %s are not supported", to.Type())
	}
	return nil
}

func describe(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return quoteShort(v)
	case bool:
		return fmt.Sprintf("it (in YAML, words such as y, n, on, off, yes and no mean true or false; this one %t)", v)
	}
	return fmt.Sprint(v)
}

func fillText(path string, from any, to encoding.TextUnmarshaler) error {
	s, ok := from.(string)
	if !ok {
		return wrong(path, "must be text; put %s in quotes", describe(from))
	}
	err := to.UnmarshalText([]byte(s))
	if err == nil {
		return nil
	}
	switch to.(type) {
	case *netip.Prefix:
		return wrong(path, "%s is no subnet; write it like %s", quoteShort(s), likelyPrefix(s))
	case *netip.Addr:
		return wrong(path, "%s is no IP address; write it like 10.0.0.5 or fd00:1::5", quoteShort(s))
	case *MAC:
		return wrong(path, "%v", err) // it says itself what would be right
	}
	return wrong(path, "%s is not right: %v", quoteShort(s), err)
}

// likelyPrefix is what somebody may have meant who wrote no prefix.
func likelyPrefix(s string) string {
	before, _, _ := strings.Cut(s, "/")
	a, err := netip.ParseAddr(strings.TrimSpace(before))
	if err != nil {
		return "10.1.0.0/24 or fd00:1::/64"
	}
	bits := 64
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}

func fillStruct(path string, from any, to reflect.Value) error {
	m, ok := from.(map[string]any)
	if !ok {
		return wrong(path, "must be a mapping, not %s", describe(from))
	}
	fields := map[string]reflect.Value{}
	for i := range to.NumField() {
		name, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = to.Field(i)
	}
	return fillFields(path, m, fields)
}

func fillFields(path string, m map[string]any, fields map[string]reflect.Value) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		field, known := fields[name]
		if !known {
			return wrong(join(path, name), "unknown field; known are %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		if err := fill(join(path, name), m[name], field); err != nil {
			return err
		}
	}
	return nil
}

func join(path, name string) string {
	if len(name) > 80 {
		name = name[:80] + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func fillSlice(path string, from any, to reflect.Value) error {
	list, ok := from.([]any)
	if !ok {
		return wrong(path, "must be a list, not %s", describe(from))
	}
	out := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, v := range list {
		field := fmt.Sprintf("%s[%d]", path, i)
		if v == nil {
			return wrong(field, "is empty")
		}
		if err := fill(field, v, out.Index(i)); err != nil {
			return err
		}
	}
	to.Set(out)
	return nil
}

func fillMap(path string, from any, to reflect.Value) error {
	m, ok := from.(map[string]any)
	if !ok {
		return wrong(path, "must be a mapping, not %s", describe(from))
	}
	out := reflect.MakeMapWithSize(to.Type(), len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := reflect.New(to.Type().Elem()).Elem()
		if err := fill(fmt.Sprintf("%s[%s]", path, k), m[k], v); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k), v)
	}
	to.Set(out)
	return nil
}

func fillNumber(path string, from any, to reflect.Value) error {
	n, ok := from.(json.Number)
	if !ok {
		return wrong(path, "must be a number, not %s", describe(from))
	}
	if err := json.Unmarshal([]byte(n), to.Addr().Interface()); err != nil {
		return wrong(path, "%s is not a whole number that fits", n)
	}
	return nil
}
