package ovsdb

import (
	"maps"
	"strings"
	"testing"
)

func TestCheckSystemID(t *testing.T) {
	for id, ok := range map[string]bool{
		"h1": true, "d3b07384-d9a0-4c9b-8f2e-000000000001": true, "web.example.org": true, "9": true, "a_b": true,
		strings.Repeat("a", maxSystemID): true, strings.Repeat("a", maxSystemID+1): false,
		"": false, "-a": false, ".": false, "a b": false, "a/b": false, "ä": false, "a\n": false, "a\x00": false,
	} {
		if err := checkSystemID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		} else if err != nil && !strings.Contains(err.Error(), "ovs-vsctl set") {
			t.Errorf("%q: the error does not say what to do: %v", id, err)
		}
	}
}

func TestEncapIP(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1",
		"": "", "x": "", "0.0.0.0": "", "224.0.0.1": "", "fe80::1%eth0": "", "192.0.2.1/24": "", "ff02::1": "",
	} {
		ip, err := encapIP(in)
		if (err == nil) != (want != "") || want != "" && ip.String() != want || want == "" && ip.IsValid() {
			t.Errorf("%q: %v, %v", in, ip, err)
		}
	}
}

func TestBridgeMappings(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want map[string]string
		ok   bool
	}{
		{"", nil, true}, {" ", nil, true},
		{"ext:br-ex", map[string]string{"ext": "br-ex"}, true},
		{"ext:br-ex, dmz:br-dmz", map[string]string{"ext": "br-ex", "dmz": "br-dmz"}, true},
		{"ext:br-ex,,dmz", map[string]string{"ext": "br-ex"}, false},
		{"ext:br-ex,ext:br2", map[string]string{"ext": "br-ex"}, false},
		{"ext:br-int", nil, false}, {"a:b:c", nil, false}, {":b", nil, false}, {`a"b:c`, nil, false},
	} {
		got, err := bridgeMappings(tt.in)
		if !maps.Equal(got, tt.want) || (err == nil) != tt.ok {
			t.Errorf("%q: %v, %v", tt.in, got, err)
		}
	}
}

func TestUnderlayMTU(t *testing.T) {
	db := replica{
		bridges: table[bridgeRow]{rows: map[string]bridgeRow{
			"b1": {Name: BridgeName, Ports: uuidSet{"p0"}}, "b2": {Name: "br-ex", Ports: uuidSet{"p1", "p2", "p3", "p4"}},
		}},
		ports: table[portRow]{rows: map[string]portRow{
			"p0": {Interfaces: uuidSet{"i0"}}, "p1": {Interfaces: uuidSet{"i1"}}, "p2": {Interfaces: uuidSet{"i2"}},
			"p3": {Interfaces: uuidSet{"i3", "gone"}}, "p4": {Interfaces: uuidSet{"i4"}},
		}},
		interfaces: table[interfaceRow]{rows: map[string]interfaceRow{
			"i0": {Name: "vm1", MTU: 1400}, "i1": {Name: "eth0", MTU: 9000}, "i2": {Name: "eth1", Type: "system", MTU: 1600},
			"i3": {Name: "br-ex", Type: "internal", MTU: 1500}, "i4": {Name: "new"},
		}},
	}
	for name, want := range map[string]int{"": 1600, "eth0": 9000, "br-ex": 1500, "nosuch": 0, "new": 0} {
		if got := underlayMTU(&db, name); got != want {
			t.Errorf("underlay %q: %d, want %d", name, got, want)
		}
	}
	if got := underlayMTU(&replica{}, ""); got != 0 {
		t.Errorf("nothing known: %d", got)
	}
}

func TestPatchPortNames(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range [][2]string{{"ext", "br-ex"}, {"ext", "br-ex2"}, {"dmz", "br-ex"}} {
		a, b := PatchPorts(m[0], m[1])
		for _, n := range []string{a, b} {
			if len(n) > 15 || seen[n] {
				t.Errorf("%s: too long, or twice", n)
			}
			seen[n] = true
		}
	}
}
