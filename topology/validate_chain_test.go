package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func functionDoc(spec string) string {
	return "{kind: ServiceFunction, metadata: {name: fw, tenant: acme}, spec: {" + spec + "}}"
}

func chainDoc(spec string) string {
	return "{kind: Chain, metadata: {name: c, tenant: acme}, spec: {" + spec + "}}"
}

// times repeats a format with # replaced by 0, 1, 2 and so on.
func times(n int, format string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
	}
	return strings.Join(parts, ", ")
}

func TestValidateChains(t *testing.T) {
	sources := func(s string) string { return chainDoc("router: r, functions: [f], sources: [" + s + "]") }
	ports := func(s string) string { return chainDoc("router: r, functions: [f], protocol: tcp, ports: [" + s + "]") }
	for _, tc := range []struct{ doc, field string }{ // "" if it is valid
		{functionDoc("type: routed"), ""},
		{functionDoc(""), "spec.type"},
		{functionDoc("type: router"), "spec.type"},
		{functionDoc("type: transparent, instances: [{in: a, out: b, weight: 100, drain: true}, {in: c, weight: 0}]"), ""},
		{functionDoc("type: rewriting, instances: [" + times(31, "{in: e#}") + "]"), ""},
		{functionDoc("type: rewriting, instances: [" + times(32, "{in: e#}") + "]"), "spec.instances"},
		{functionDoc("type: routed, instances: [{out: b}]"), "spec.instances[0].in"},
		{functionDoc("type: routed, instances: [{in: A}]"), "spec.instances[0].in"},
		{functionDoc("type: routed, instances: [{in: a, out: B}]"), "spec.instances[0].out"},
		{functionDoc("type: routed, instances: [{in: a, out: a}]"), "spec.instances[0].out"},
		{functionDoc("type: routed, instances: [{in: a, out: b}, {in: b}]"), "spec.instances[1].in"},
		{functionDoc("type: routed, instances: [{in: a, out: b}, {in: c, out: a}]"), "spec.instances[1].out"},
		{functionDoc("type: routed, instances: [{in: a, weight: 101}]"), "spec.instances[0].weight"},
		{functionDoc("type: routed, instances: [{in: a, weight: -1}]"), "spec.instances[0].weight"},
		{functionDoc("type: tap, instances: [{in: a}]"), ""},
		{functionDoc("type: tap, instances: [{in: a, out: b}]"), "spec.instances[0].out"},

		{functionDoc("type: routed, failMode: reroute, lastResort: closed"), ""},
		{functionDoc("type: routed, lastResort: open"), ""},
		{functionDoc("type: routed, failMode: closed"), ""},
		{functionDoc("type: routed, failMode: open"), ""},
		{functionDoc("type: routed, failMode: shut"), "spec.failMode"},
		{functionDoc("type: routed, lastResort: reroute"), "spec.lastResort"},
		{functionDoc("type: routed, failMode: closed, lastResort: open"), "spec.lastResort"},
		{functionDoc("type: routed, failMode: open, lastResort: open"), "spec.lastResort"},
		{functionDoc("type: tap, failMode: open"), "spec.failMode"},
		{functionDoc("type: tap, lastResort: open"), "spec.lastResort"},

		{functionDoc("type: routed, probe: {protocol: tcp, port: 80, intervalMillis: 100, failures: 10}"), ""},
		{functionDoc("type: transparent, probe: {protocol: arp, intervalMillis: 60000, failures: 1}"), ""},
		{functionDoc("type: rewriting, probe: {protocol: icmp}"), ""},
		{functionDoc("type: routed, probe: {}"), "spec.probe.protocol"},
		{functionDoc("type: routed, probe: {protocol: http}"), "spec.probe.protocol"},
		{functionDoc("type: routed, probe: {protocol: tcp}"), "spec.probe.port"},
		{functionDoc("type: routed, probe: {protocol: tcp, port: 65536}"), "spec.probe.port"},
		{functionDoc("type: routed, probe: {protocol: icmp, port: 80}"), "spec.probe.port"},
		{functionDoc("type: transparent, probe: {protocol: tcp, port: 80}"), "spec.probe.protocol"},
		{functionDoc("type: tap, probe: {protocol: arp}"), "spec.probe"},
		{functionDoc("type: routed, probe: {protocol: arp, intervalMillis: 99}"), "spec.probe.intervalMillis"},
		{functionDoc("type: routed, probe: {protocol: arp, intervalMillis: 60001}"), "spec.probe.intervalMillis"},
		{functionDoc("type: routed, probe: {protocol: arp, failures: 11}"), "spec.probe.failures"},
		{functionDoc("type: routed, probe: {protocol: arp, failures: -1}"), "spec.probe.failures"},

		{functionDoc("type: routed, sharedWith: [a, b]"), ""},
		{functionDoc("type: routed, sharedWith: ['*']"), "spec.sharedWith[0]"},
		{functionDoc("type: routed, sharedWith: [a, a]"), "spec.sharedWith[1]"},
		{functionDoc("type: routed, sharedWith: [" + times(256, "t#") + "]"), ""},
		{functionDoc("type: routed, sharedWith: [" + times(257, "t#") + "]"), "spec.sharedWith"},

		{chainDoc("router: r, functions: [f]"), ""},
		{chainDoc("functions: [f]"), "spec.router"},
		{chainDoc("router: R, functions: [f]"), "spec.router"},
		{chainDoc("router: r"), "spec.functions"},
		{chainDoc("router: r, functions: [" + times(7, "f#") + "]"), ""},
		{chainDoc("router: r, functions: [" + times(8, "f#") + "]"), "spec.functions"},
		{chainDoc("router: r, functions: [f, other/f]"), ""},
		{chainDoc("router: r, functions: [f, g, f]"), "spec.functions[2]"},
		{chainDoc("router: r, functions: [f, acme/f]"), "spec.functions[1]"},
		{chainDoc("router: r, functions: [F]"), "spec.functions[0]"},
		{chainDoc("router: r, functions: [/f]"), "spec.functions[0]"},
		{chainDoc("router: r, functions: [a/b/c]"), "spec.functions[0]"},
		{chainDoc("router: r, functions: ['']"), "spec.functions[0]"},
		{chainDoc("router: r, functions: [f], priority: 10000"), ""},
		{chainDoc("router: r, functions: [f], priority: 10001"), "spec.priority"},
		{chainDoc("router: r, functions: [f], priority: -1"), "spec.priority"},

		{sources("{network: blue}, {labels: {app: web, tier: ''}}, {cidr: 0.0.0.0/0}, {cidr: 'fd00::/8'}, {external: true}"), ""},
		{sources("{}"), "spec.sources[0]"},
		{sources("{labels: {}}"), "spec.sources[0]"},
		{sources("{external: false}"), "spec.sources[0]"},
		{sources("{network: blue, external: true}"), "spec.sources[0]"},
		{sources("{network: blue}, {labels: {a: b}, cidr: 10.0.0.0/8}"), "spec.sources[1]"},
		{sources("{network: blue}, {network: blue}"), "spec.sources[1]"},
		{sources("{labels: {a: b, c: d}}, {labels: {c: d, a: b}}"), "spec.sources[1]"},
		{sources("{network: Blue}"), "spec.sources[0].network"},
		{sources("{labels: {a b: c}}"), "spec.sources[0].labels[a b]"},
		{sources("{labels: {" + times(65, "k#: v") + "}}"), "spec.sources[0].labels"},
		{sources("{cidr: 10.0.0.1/8}"), "spec.sources[0].cidr"},
		{sources("{cidr: '::ffff:10.0.0.0/104'}"), "spec.sources[0].cidr"},
		{sources("{cidr: 224.0.0.0/8}"), "spec.sources[0].cidr"},
		{sources(times(64, "{cidr: 10.#.0.0/16}")), ""},
		{sources(times(65, "{cidr: 10.#.0.0/16}")), "spec.sources"},
		{chainDoc("router: r, functions: [f], destinations: [{}]"), "spec.destinations[0]"},

		{ports("'80', 8000-8100, '65535'"), ""},
		{ports("'80', 80-81"), "spec.ports[1]"},
		{ports("100-200, '80', 150-160"), "spec.ports[2]"},
		{ports(times(64, "'1#'")), ""},
		{ports(times(65, "'1#'")), "spec.ports"},
		{ports("''"), "spec.ports[0]"},
		{chainDoc("router: r, functions: [f], protocol: udp, ports: ['53']"), ""},
		{chainDoc("router: r, functions: [f], protocol: icmp"), ""},
		{chainDoc("router: r, functions: [f], protocol: sctp"), "spec.protocol"},
		{chainDoc("router: r, functions: [f], protocol: icmp, ports: ['53']"), "spec.ports"},
		{chainDoc("router: r, functions: [f], ports: ['53']"), "spec.ports"},
	} {
		var err error
		if objects, e := DecodeManifest([]byte(tc.doc)); e != nil {
			err = e
		} else {
			err = Validate(objects[0])
		}
		var inv *InvalidError
		switch {
		case tc.field == "" && err != nil:
			t.Errorf("%s: %v", tc.doc, err)
		case tc.field != "" && !errors.As(err, &inv):
			t.Errorf("%s: error %v, want one of %s", tc.doc, err, tc.field)
		case tc.field != "" && inv.Field != tc.field:
			t.Errorf("%s: field %s (%s), want %s", tc.doc, inv.Field, inv.Reason, tc.field)
		}
	}
	// Not every caller comes by way of text.
	c := decodeOne(t, ports("'80'")).(*Chain)
	for _, r := range []PortRange{{}, {0, 5}, {9, 8}} {
		c.Spec.Ports[0] = r
		if err := Validate(c); err == nil {
			t.Errorf("ports %+v are valid", r)
		}
	}
}

func TestPortRanges(t *testing.T) {
	for text, want := range map[string]PortRange{
		"80": {80, 80}, "8000-8100": {8000, 8100}, "1-65535": {1, 65535}, " 5 - 5 ": {5, 5},
		"": {}, "0": {}, "0-5": {}, "65536": {}, "9-8": {}, "a": {}, "-5": {}, "5-": {}, "1-2-3": {}, "+5": {}, "80,81": {},
	} {
		got, err := ParsePortRange(text)
		if got != want || (err != nil) != (want == PortRange{}) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
		if err != nil {
			continue
		}
		if back, err := ParsePortRange(got.String()); err != nil || back != got {
			t.Errorf("%q is written %q", text, got)
		}
	}
	if s := (PortRange{}).String(); s != "" {
		t.Errorf("the zero value is written %q", s)
	}
}
