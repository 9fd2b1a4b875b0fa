package topology

import "reflect"

// This file does to all kinds alike what needs to know no kind: every object is a
// struct of Metadata, Spec and, for most kinds, Allocated.

// SpecOf points to the object's spec: for a *Network, it is a *NetworkSpec.
func SpecOf(o Object) any { return part(o, "Spec").Addr().Interface() }

// part is a field of the object; not valid for an Allocated that its kind lacks.
func part(o Object, name string) reflect.Value { return reflect.ValueOf(o).Elem().FieldByName(name) }

// partOf is a part as a value, nil if the kind lacks it.
func partOf(o Object, name string) any {
	if p := part(o, name); p.IsValid() {
		return p.Interface()
	}
	return nil
}

// same says whether two objects of one kind differ only in their revision.
func same(a, b Object) bool {
	am, bm := *a.Meta(), *b.Meta()
	am.Revision, bm.Revision = 0, 0
	if !am.Created.Equal(bm.Created) {
		return false
	}
	am.Created = bm.Created
	return reflect.DeepEqual(am, bm) && reflect.DeepEqual(partOf(a, "Spec"), partOf(b, "Spec")) &&
		reflect.DeepEqual(partOf(a, "Allocated"), partOf(b, "Allocated"))
}

// clone is a deep copy in which what is empty is nil, as it comes back from JSON, so
// that objects can be compared.
func clone[T any](o *T) *T {
	c := new(T)
	deepCopy(reflect.ValueOf(c).Elem(), reflect.ValueOf(o).Elem())
	return c
}

// deepCopy copies slices, pointers, and maps of plain values, wherever they are in
// structs and slices of structs. Fields that are not exported, those of addresses and
// times, are copied as they are.
func deepCopy(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Struct:
		to.Set(from)
		for i := range from.NumField() {
			switch f := from.Field(i); f.Kind() {
			case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
				if from.Type().Field(i).IsExported() {
					deepCopy(to.Field(i), f)
				}
			}
		}
	case reflect.Slice:
		to.SetZero()
		if n := from.Len(); n > 0 {
			to.Set(reflect.MakeSlice(from.Type(), n, n))
			for i := range n {
				deepCopy(to.Index(i), from.Index(i))
			}
		}
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			deepCopy(to.Elem(), from.Elem())
		}
	case reflect.Map:
		to.SetZero()
		if from.Len() > 0 {
			to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
			for k, v := range from.Seq2() {
				to.SetMapIndex(k, v)
			}
		}
	default:
		to.Set(from)
	}
}
