package topology

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
)

// Whatever is done to objects of all kinds is done to each.
func TestEveryKind(t *testing.T) {
	plurals := map[string]bool{}
	for i, k := range Kinds() {
		meta := "{name: x}"
		if k.Scoped() {
			meta = "{name: x, tenant: t}"
		}
		o := decodeOne(t, fmt.Sprintf("{kind: %s, metadata: %s, spec: {}}", k, meta))
		if o.Key().Kind != k || o.Meta().Name != "x" || k.Order() != i || k.Plural() == "" || plurals[k.Plural()] {
			t.Errorf("%s: %v, plural %q", k, o.Key(), k.Plural())
		}
		plurals[k.Plural()] = true
		if s := show(o, true); s.Spec == nil || reflect.TypeOf(SpecOf(o)).Elem() != reflect.TypeOf(s.Spec) {
			t.Errorf("%s is shown as %+v", k, s)
		}
		if c := o.Clone(); c == o || !same(c, o) {
			t.Errorf("%s: the clone is %+v", k, c)
		}
		if err, ok := Validate(o).(*InvalidError); ok && err.Field == "kind" {
			t.Error(err)
		}
	}
}

func TestClonesShareNothing(t *testing.T) {
	r := &Router{Metadata: Metadata{Labels: map[string]string{"a": "b"}}}
	r.Spec.Networks = []string{"blue"}
	r.Spec.StaticRoutes = []StaticRoute{}
	r.Spec.Gateways = []RouterGateway{{Name: "edge", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, RoutedNetworks: []string{}}}
	c := r.Clone().(*Router)
	if c.Spec.StaticRoutes != nil || c.Spec.Gateways[0].RoutedNetworks != nil {
		t.Errorf("what is empty is not nil: %+v", c.Spec)
	}
	c.Metadata.Labels["a"], c.Spec.Networks[0], c.Spec.Gateways[0].Addresses[0] = "x", "x", netip.Addr{}
	c.Spec.Gateways[0].Name = "x"
	x := &ExternalNetwork{Spec: ExternalNetworkSpec{BGP: &BGP{ASN: 1, Peers: []BGPPeer{{ASN: 2}}}}}
	y := x.Clone().(*ExternalNetwork)
	if y.Spec.BGP.ASN, y.Spec.BGP.Peers[0].ASN = 7, 7; x.Spec.BGP.ASN != 1 || x.Spec.BGP.Peers[0].ASN != 2 {
		t.Errorf("changing the clone changed %+v", x.Spec.BGP)
	}
	if r.Metadata.Labels["a"] != "b" || r.Spec.Networks[0] != "blue" || r.Spec.Gateways[0].Name != "edge" || !r.Spec.Gateways[0].Addresses[0].IsValid() {
		t.Errorf("changing the clone changed %+v", r)
	}
}
