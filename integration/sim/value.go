package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// value is what a column holds (RFC 7047 section 5.1): a map of strings, or a set
// of atoms; a column with one atom is a set of one.
type value struct {
	pairs map[string]string // for a map, not nil
	atoms []any             // string, float64, bool or ref
}

// ref is a reference to a row.
type ref string

func (r ref) MarshalJSON() ([]byte, error) { return json.Marshal([2]string{"uuid", string(r)}) }

func atom(a any) value    { return value{atoms: []any{a}} }
func set(a ...any) value  { return value{atoms: a} }
func refs(r ...ref) value { return value{atoms: anys(r)} }
func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func dict(pairs map[string]string) value {
	if pairs == nil {
		pairs = map[string]string{}
	}
	return value{pairs: pairs}
}

func (v value) MarshalJSON() ([]byte, error) {
	switch {
	case v.pairs != nil:
		list := make([][2]string, 0, len(v.pairs))
		for k, s := range v.pairs {
			list = append(list, [2]string{k, s})
		}
		return json.Marshal([]any{"map", list})
	case len(v.atoms) == 1:
		return json.Marshal(v.atoms[0])
	}
	return json.Marshal([]any{"set", append([]any{}, v.atoms...)})
}

var errValue = errors.New("not an OVSDB value")

// decodeValue reads a value as json.Unmarshal gives it. named translates the names
// that rows have within a transaction.
func decodeValue(raw any, named map[string]ref) (value, error) {
	list, ok := raw.([]any)
	if !ok {
		return decodeAtoms([]any{raw}, named)
	}
	if len(list) != 2 {
		return value{}, errValue
	}
	body, _ := list[1].([]any)
	switch list[0] {
	case "set":
		return decodeAtoms(body, named)
	case "map":
		return decodePairs(body)
	}
	return decodeAtoms([]any{raw}, named)
}

func decodeAtoms(list []any, named map[string]ref) (value, error) {
	v := value{}
	for _, a := range list {
		switch a := a.(type) {
		case string, float64, bool:
			v.atoms = append(v.atoms, a)
		case []any:
			r, err := decodeRef(a, named)
			if err != nil {
				return value{}, err
			}
			v.atoms = append(v.atoms, r)
		default:
			return value{}, errValue
		}
	}
	return v, nil
}

func decodeRef(list []any, named map[string]ref) (ref, error) {
	if len(list) != 2 {
		return "", errValue
	}
	name, _ := list[1].(string)
	switch list[0] {
	case "uuid":
		return ref(name), nil
	case "named-uuid":
		if r, ok := named[name]; ok {
			return r, nil
		}
		return "", fmt.Errorf("no row is named %q", name)
	}
	return "", errValue
}

func decodePairs(list []any) (value, error) {
	v := dict(nil)
	for _, p := range list {
		pair, _ := p.([]any)
		if len(pair) != 2 {
			return value{}, errValue
		}
		k, ok1 := pair[0].(string)
		s, ok2 := pair[1].(string)
		if !ok1 || !ok2 {
			return value{}, errValue
		}
		v.pairs[k] = s
	}
	return v, nil
}

func (v value) has(a any) bool { return slices.Contains(v.atoms, a) }

func (v value) equal(w value) bool {
	if (v.pairs == nil) != (w.pairs == nil) || len(v.atoms) != len(w.atoms) {
		return false
	}
	if slices.Equal(v.atoms, w.atoms) { // mostly
		return maps.Equal(v.pairs, w.pairs)
	}
	return len(v.without(w).atoms) == 0 && maps.Equal(v.pairs, w.pairs)
}

// with is v with atoms that it does not have yet.
func (v value) with(atoms ...any) value {
	out := value{atoms: append([]any{}, v.atoms...)}
	have := make(map[any]bool, len(out.atoms))
	for _, a := range out.atoms {
		have[a] = true
	}
	for _, a := range atoms {
		if !have[a] {
			have[a] = true
			out.atoms = append(out.atoms, a)
		}
	}
	return out
}

// without is v without atoms, or without the keys of a map.
func (v value) without(w value) value {
	out := value{}
	if v.pairs != nil {
		out.pairs = maps.Clone(v.pairs)
		for k := range w.pairs {
			delete(out.pairs, k)
		}
		for _, a := range w.atoms {
			if k, ok := a.(string); ok {
				delete(out.pairs, k)
			}
		}
		return out
	}
	drop := make(map[any]bool, len(w.atoms))
	for _, a := range w.atoms {
		drop[a] = true
	}
	for _, a := range v.atoms {
		if !drop[a] {
			out.atoms = append(out.atoms, a)
		}
	}
	return out
}

// mutated is v after a mutation (RFC 7047 section 5.1, <mutation>).
func (v value) mutated(mutator string, w value) (value, error) {
	switch mutator {
	case "insert":
		if v.pairs == nil {
			return v.with(w.atoms...), nil
		}
		out := dict(maps.Clone(w.pairs))
		maps.Copy(out.pairs, v.pairs) // a key that is there stays as it is
		return out, nil
	case "delete":
		return v.without(w), nil
	case "+=":
		if len(v.atoms) == 1 && len(w.atoms) == 1 {
			a, ok1 := v.atoms[0].(float64)
			b, ok2 := w.atoms[0].(float64)
			if ok1 && ok2 {
				return atom(a + b), nil
			}
		}
	}
	return value{}, fmt.Errorf("mutation %q is not simulated for this column", mutator)
}

func (v value) text() string {
	if len(v.atoms) == 1 {
		s, _ := v.atoms[0].(string)
		return s
	}
	return ""
}

func (v value) number() int {
	if len(v.atoms) == 1 {
		n, _ := v.atoms[0].(float64)
		return int(n)
	}
	return 0
}

func (v value) rows() []ref {
	var out []ref
	for _, a := range v.atoms {
		if r, ok := a.(ref); ok {
			out = append(out, r)
		}
	}
	return out
}
