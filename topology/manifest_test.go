package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var byValue = []cmp.Option{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func TestDecodeManifest(t *testing.T) {
	for _, tc := range []struct {
		name, manifest string
		want           string // keys, or a part of the error
	}{
		{"empty", "", ""},
		{"comments", "# nothing\n---\n# here\n", ""},
		{"documents", "kind: Tenant\nmetadata: {name: a}\n---\nkind: Tenant\nmetadata: {name: b}\n...\n--- # third\nkind: Host\nmetadata: {name: c}\n", "Tenant a, Tenant b, Host c"},
		{"CRLF", "kind: Tenant\r\nmetadata: {name: a}\r\n---\r\nkind: Tenant\r\nmetadata: {name: b}\r\n", "Tenant a, Tenant b"},
		{"JSON", `{"kind":"Tenant","metadata":{"name":"a"}} {"kind":"Tenant","metadata":{"name":"b"}}`, "Tenant a, Tenant b"},
		{"JSON with markers", "{\"kind\":\"Tenant\",\"metadata\":{\"name\":\"a\"}}\n---\n{\"kind\":\"Tenant\",\"metadata\":{\"name\":\"b\"}}", "Tenant a, Tenant b"},
		{"JSON list", `[{"kind":"Tenant","metadata":{"name":"a"}}]`, "Tenant a"},
		{"JSON empty list", `[]`, ""},
		{"List", `{"kind":"List","items":[{"kind":"Tenant","metadata":{"name":"a"}}]}`, "Tenant a"},
		{"YAML List", "kind: List\nitems:\n- {kind: Tenant, metadata: {name: a}}\n", "Tenant a"},
		{"YAML list", "- {kind: Tenant, metadata: {name: a}}\n", "Tenant a"},
		{"what was shown", `{"kind":"Network","metadata":{"name":"a","tenant":"t","revision":7,"created":"2026-01-02T03:04:05Z"},"spec":{},"allocated":{"vni":7},"status":{"phase":"pending"}}`, "Network t/a"},

		{"no kind", "metadata: {name: a}", `document 1: Object: kind: is missing; kinds are Host, ExternalNetwork`},
		{"unknown kind", "kind: Netwrok", `"Netwrok" is no kind of object; kinds are Host, ExternalNetwork, Gateway, Tenant, Network, Router, Endpoint, ServiceFunction, Chain, FloatingIP, Service and List`},
		{"text", "hello", `document 1: "hello" is no object`},
		{"unknown field", "kind: Network\nmetadata: {name: a, tenant: t}\nspec: {subnts: []}", "document 1: Network t/a: spec.subnts: unknown field; known are mtu, subnets, vni"},
		{"unknown nested field", "kind: Network\nmetadata: {name: a, tenant: t}\nspec: {subnets: [{cidr: 10.0.0.0/8, gw: 10.0.0.1}]}", "spec.subnets[0].gw: unknown field; known are cidr, gateway"},
		{"unknown top field", "kind: Tenant\napiVersion: v1", "apiVersion: unknown field; known are kind, metadata, spec"},
		{"case matters", `{"kind":"Tenant","Metadata":{"name":"a"}}`, "Metadata: unknown field"},
		{"second document", "kind: Tenant\nmetadata: {name: a}\n---\nkind: Tenant\nmetadata: {nme: b}", "document 2: Tenant: metadata.nme: unknown field"},
		{"bad address", "kind: Endpoint\nmetadata: {name: a, tenant: t}\nspec: {addresses: [10.0.0.1, 10.0.0.x]}", `document 1: Endpoint t/a: spec.addresses[1]: "10.0.0.x" is no IP address; write it like`},
		{"bad prefix", "kind: Network\nspec: {subnets: [{cidr: 10.1.0.0/33}]}", `spec.subnets[0].cidr: "10.1.0.0/33" is no subnet; write it like 10.1.0.0/24`},
		{"bad IPv6 prefix", "kind: Network\nspec: {subnets: [{cidr: 'fd00:7::9'}]}", `"fd00:7::9" is no subnet; write it like fd00:7::/64`},
		{"prefix of words", "kind: Network\nspec: {subnets: [{cidr: ten}]}", `"ten" is no subnet; write it like 10.1.0.0/24 or fd00:1::/64`},
		{"bad MAC", "kind: Endpoint\nmetadata: {name: a, tenant: t}\nspec: {mac: zz}", `spec.mac: "zz" is not a MAC address; write it like`},
		{"number as text", "kind: Tenant\nmetadata: {name: 7}", "metadata.name: must be text; put 7 in quotes"},
		{"boolean as text", "kind: Tenant\nmetadata: {name: no}", "metadata.name: must be text; put it (in YAML"},
		{"text as number", `{"kind":"Network","spec":{"mtu":"1500"}}`, `spec.mtu: must be a number, not "1500"`},
		{"negative VNI", `{"kind":"Network","spec":{"vni":-1}}`, `spec.vni: -1 is not a whole number that fits`},
		{"fraction", `{"kind":"Network","spec":{"mtu":1.5}}`, `spec.mtu: 1.5 is not a whole number`},
		{"list as mapping", `{"kind":"Network","spec":[]}`, `spec: must be a mapping, not a list`},
		{"mapping as list", `{"kind":"Network","spec":{"subnets":{}}}`, `spec.subnets: must be a list, not a mapping`},
		{"null in a list", `{"kind":"Network","spec":{"subnets":[null]}}`, `spec.subnets[0]: is empty`},
		{"names twice", "kind: Tenant\nkind: Host", "not valid YAML"},
		{"bad YAML", "kind: [", "document 1: not valid YAML"},
		{"bad JSON", `{"kind":`, "document 1: not valid JSON"},
		{"too many", "[" + strings.Repeat(`{"kind":"Tenant"},`, MaxManifestObjects) + `{"kind":"Tenant"}]`, "more than 20000 objects"},
		{"too large", strings.Repeat(" ", MaxManifestBytes+1), "at most 8388608"},
		{"deep lists", strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "nested deeper than 32"},
		{"aliases", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", "aliases are not allowed"},
		// 100 kB that stand for 10 GB: the node count of YAML's own guard is small.
		{"an alias of much text", "a: &a \"" + strings.Repeat("x", 100_000) + "\"\nb: [" + strings.Repeat("*a,", 100_000) + "*a]\n", "aliases are not allowed"},
		{"many aliases", "a: &a x\nb: [" + strings.Repeat("*a,", 400_000) + "*a]\n", "bytes at most"},
		{"no alias", "kind: Tenant\nmetadata: {name: t}\nspec: {description: \"R&D *all*\"}\n", "Tenant t"},
		{"many empty documents", strings.Repeat("---\n", 100_000), "more than 40000 documents"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			objects, err := DecodeManifest([]byte(tc.manifest))
			var keys []string
			for _, o := range objects {
				keys = append(keys, o.Key().String())
			}
			var me *ManifestError
			if got := strings.Join(keys, ", "); err == nil && got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			} else if err != nil && (tc.want == "" || !strings.Contains(err.Error(), tc.want) || !errors.As(err, &me)) {
				t.Errorf("error %v\nwant  %s", err, tc.want)
			}
		})
	}
}

func TestEncodedManifestsComeBack(t *testing.T) {
	s := world(t)
	var objects []Object
	for _, kind := range Kinds() {
		objects = append(objects, s.List(kind, "")...)
	}
	for i, o := range objects {
		o = o.Clone()
		o.Meta().Labels = map[string]string{"a": "true", "b": "12"}
		objects[i] = o
	}
	y, err := EncodeManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeManifest(y)
	if err != nil {
		t.Fatalf("%v in\n%s", err, y)
	}
	for i, o := range objects {
		if diff := cmp.Diff(spoken(o), spoken(back[i]), byValue...); diff != "" {
			t.Errorf("%s\n%s", o.Key(), diff)
		}
		j, err := EncodeJSON(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeManifest(j)
		if err != nil || len(again) != 1 {
			t.Fatalf("%v in %s", err, j)
		}
		if diff := cmp.Diff(spoken(o), spoken(again[0]), byValue...); diff != "" {
			t.Errorf("%s\n%s", o.Key(), diff)
		}
	}
}

// spoken is what a user said of an object.
func spoken(o Object) shown { return show(o, false) }

func TestDecodeObject(t *testing.T) {
	o, err := DecodeObject(KindTenant, []byte(`{"metadata":{"name":"a"},"spec":{"description":"x"}}`))
	if err != nil || o.(*Tenant).Spec.Description != "x" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := DecodeObject(KindTenant, []byte(`{"kind":"Host","metadata":{"name":"a"}}`)); err == nil {
		t.Error("a host was taken for a tenant")
	}
	if _, err := DecodeObject(KindTenant, []byte(`{"spec":{"descriptoin":"x"}}`)); err == nil || !strings.Contains(err.Error(), "spec.descriptoin") {
		t.Errorf("error %v", err)
	}
}

func FuzzDecodeManifest(f *testing.F) {
	f.Add([]byte("kind: Network\nmetadata: {name: a, tenant: t}\nspec: {subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.1}]}\n---\nkind: Host\nmetadata: {name: h}\n"))
	f.Add([]byte(`{"kind":"List","items":[{"kind":"Endpoint","metadata":{"name":"a","tenant":"t"},"spec":{"network":"n","mac":"02:00:00:00:00:01","allowedAddresses":[{"prefix":"10.0.0.0/8"}]}}]}`))
	f.Add([]byte(`[{"kind":"Router","metadata":{"name":"r","tenant":"t"},"spec":{"networks":["a"],"staticRoutes":[{"destination":"::/0","nextHop":"fd00::1"}]}}]`))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := DecodeManifest(data)
		if err != nil {
			if len(objects) > 0 {
				t.Error("objects beside an error")
			}
			return
		}
		changes := make([]Change, len(objects))
		for i, o := range objects {
			changes[i] = Change{Object: o}
			if Validate(o) != nil {
				continue
			}
			// What is valid survives being written and read.
			y, err := EncodeManifest([]Object{o})
			if err != nil {
				t.Fatal(err)
			}
			back, err := DecodeManifest(y)
			if err != nil || len(back) != 1 || back[0].Key() != o.Key() {
				t.Fatalf("%v, %v from\n%s", back, err, y)
			}
			if a, b := fmt.Sprintf("%+v", spoken(o.Clone())), fmt.Sprintf("%+v", spoken(back[0].Clone())); a != b {
				t.Errorf("wrote %s\nread  %s", a, b)
			}
		}
		s := NewState()
		if d, err := s.Try(changes, testEnv); err == nil {
			d.Undo()
		}
		if s.Len() != 0 {
			t.Error("traces are left")
		}
	})
}

// What the API shows as a list can be applied again.
func TestDecodeManifestTakesListsAsShown(t *testing.T) {
	got, err := DecodeManifest([]byte(`{"items":[{"kind":"Tenant","metadata":{"name":"acme"},"spec":{},"status":{"phase":"realized"}}],"kind":"TenantList","continue":"x"}`))
	if err != nil || len(got) != 1 || got[0].Key().Name != "acme" {
		t.Errorf("%v, %v", got, err)
	}
}
