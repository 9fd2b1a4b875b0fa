package rest

import (
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills Go values from a parsed tree and notes every field that does not
// fit, with its path. encoding/json stops at the first, ignores case, and does not
// name the field whose text cannot be parsed.
type decoder struct{ errs []FieldError }

func (d *decoder) fail(path string, value any, format string, args ...any) {
	switch v := value.(type) {
	case map[string]any, []any:
		value = nil
	case string:
		if len(v) > 200 {
			value = v[:200]
		}
	}
	if len(d.errs) < 100 {
		d.errs = append(d.errs, FieldError{Message: fmt.Sprintf(format, args...), Location: path, Value: value})
	}
}

// fields fills the named values from a JSON object; a nil target is ignored.
func (d *decoder) fields(path string, node any, targets map[string]reflect.Value) {
	if node == nil {
		return
	}
	obj, ok := node.(map[string]any)
	if !ok {
		d.fail(path, node, "must be an object, not %s", jsonType(node))
		return
	}
	for _, name := range sortedKeys(obj) {
		target, known := targets[name]
		switch {
		case !known:
			d.fail(path+"."+name, nil, "is not known; there are %s", strings.Join(sortedKeys(targets), ", "))
		case target.IsValid():
			d.value(path+"."+name, obj[name], target)
		}
	}
}

// value fills one value; null leaves it as it is.
func (d *decoder) value(path string, node any, v reflect.Value) {
	if node == nil {
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(path, node, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.fields(path, node, structFields(v))
	case reflect.Slice:
		d.slice(path, node, v)
	case reflect.Map:
		d.stringMap(path, node, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, node, v.Elem())
	case reflect.String:
		if s, ok := node.(string); ok {
			v.SetString(s)
			return
		}
		d.fail(path, node, "must be a string, not %s", jsonType(node))
	case reflect.Bool:
		if b, ok := node.(bool); ok {
			v.SetBool(b)
			return
		}
		d.fail(path, node, "must be true or false, not %s", jsonType(node))
	default:
		d.integer(path, node, v)
	}
}

func (d *decoder) slice(path string, node any, v reflect.Value) {
	list, ok := node.([]any)
	if !ok {
		d.fail(path, node, "must be a list, not %s", jsonType(node))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, n := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if n == nil {
			d.fail(at, nil, "must not be null")
			continue
		}
		d.value(at, n, v.Index(i))
	}
}

func (d *decoder) stringMap(path string, node any, v reflect.Value) {
	obj, ok := node.(map[string]any)
	if !ok {
		d.fail(path, node, "must be an object, not %s", jsonType(node))
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(obj)))
	for _, name := range sortedKeys(obj) {
		text, ok := obj[name].(string)
		if !ok {
			d.fail(path+"."+name, obj[name], "must be a string, not %s", jsonType(obj[name]))
			continue
		}
		v.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(text))
	}
}

func (d *decoder) integer(path string, node any, v reflect.Value) {
	n, ok := node.(json.Number)
	if !ok {
		d.fail(path, node, "must be a number, not %s", jsonType(node))
		return
	}
	bits := v.Type().Bits()
	if v.CanUint() {
		u, err := strconv.ParseUint(n.String(), 10, bits)
		if err != nil {
			d.fail(path, n, "must be a whole number from 0 to %d", ^uint64(0)>>(64-bits))
			return
		}
		v.SetUint(u)
		return
	}
	i, err := strconv.ParseInt(n.String(), 10, bits)
	if err != nil {
		d.fail(path, n, "must be a whole number of at most %d bits", bits)
		return
	}
	v.SetInt(i)
}

func (d *decoder) text(path string, node any, into encoding.TextUnmarshaler) {
	s, ok := node.(string)
	if !ok {
		d.fail(path, node, "must be a string, not %s", jsonType(node))
		return
	}
	err := into.UnmarshalText([]byte(s))
	if err == nil {
		return
	}
	switch into.(type) {
	case *netip.Prefix:
		d.fail(path, s, "%q is not an IP prefix; write it like 10.0.0.0/24 or fd00:1::/64", clip(s))
	case *netip.Addr:
		d.fail(path, s, "%q is not an IP address; write it like 10.0.0.5 or fd00:1::5", clip(s))
	default:
		d.fail(path, s, "%s", clip(err.Error()))
	}
}

func clip(s string) string { return shorten(s, 200) }

// structFields maps JSON names to the fields of a struct without embedding.
func structFields(v reflect.Value) map[string]reflect.Value {
	m := make(map[string]reflect.Value, v.NumField())
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		m[name] = v.Field(i)
	}
	return m
}

func jsonType(node any) string {
	switch node.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "true or false"
	}
	return "a number"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
