package rest

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

// The examples of RFC 7396, appendix A.
func TestMergePatch(t *testing.T) {
	for _, tt := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		target, err := topology.ParseJSON([]byte(tt[0]))
		if err != nil {
			t.Fatal(err)
		}
		patch, err := topology.ParseJSON([]byte(tt[1]))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(mergePatch(target, patch))
		if string(got) != tt[2] {
			t.Errorf("%s + %s = %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}

func fuzzSeeds(f *testing.F) {
	for _, s := range []string{
		`{"spec":{"network":"blue","addresses":["10.0.0.5","fd00::5"],"mac":"02:00:0a:01:00:05"}}`,
		`{"metadata":{"labels":{"a":null,"b":"c"}}}`, `{"spec":{"allowedAddresses":[{"prefix":"10.0.0.0/8"}]}}`,
		`{"a":1,"a":2}`, `[[[[[]]]]]`, `{"spec":{"mac":""}}`, `"\ud800"`, `{"spec":null}`, `1e999999`, `{"kind":"Endpoint","status":{"x":[1]}}`,
	} {
		f.Add([]byte(s))
	}
}

var fuzzKey = topology.Key{Kind: topology.KindEndpoint, Tenant: "acme", Name: "web1"}

// Whatever the strict decoder takes is what encoding/json makes of it, and survives
// being written and read again.
func FuzzBody(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := topology.ParseJSON(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("%q is taken and is not JSON", data)
		}
		obj, p := endpoints.decodeBody(tree, fuzzKey)
		if p != nil {
			if p.Status != 422 || len(p.Errors) == 0 || p.Errors[0].Location == "" {
				t.Fatalf("a problem without its place: %+v", p)
			}
			return
		}
		var loose struct{ Spec topology.EndpointSpec }
		if err := json.Unmarshal(data, &loose); err != nil {
			t.Fatalf("%q is taken, and encoding/json says %v", data, err)
		}
		a, _ := json.Marshal(loose.Spec)
		b, _ := json.Marshal(obj.(*topology.Endpoint).Spec)
		if string(a) != string(b) {
			t.Fatalf("%q: %s, encoding/json has %s", data, b, a)
		}
	})
}

// A patch gives a valid object or a problem; applied twice it is as applied once.
func FuzzPatch(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		now := &topology.Endpoint{
			Metadata: topology.Metadata{Name: "web1", Tenant: "acme", Labels: map[string]string{"a": "b"}},
			Spec:     topology.EndpointSpec{Network: "blue", MAC: topology.MAC{2, 0, 0, 0, 0, 1}},
		}
		patch, err := topology.ParseJSON(data)
		if err != nil {
			return
		}
		once, p := endpoints.patched(now, patch, fuzzKey)
		if p != nil {
			return
		}
		again, _ := topology.ParseJSON(data)
		twice, p := endpoints.patched(once, again, fuzzKey)
		if p != nil || !reflect.DeepEqual(once, twice) {
			t.Fatalf("%s: once %+v, twice %+v (%v)", data, once, twice, p)
		}
	})
}
