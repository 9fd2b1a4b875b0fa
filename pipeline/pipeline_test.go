package pipeline

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

var update = flag.Bool("update", false, "write golden files and docs/pipeline.md anew")

// sealed are a fragment's flows with their cookies, as text.
func sealed(t *testing.T, f fragment) []string {
	t.Helper()
	entries, err := openflow.Seal(f.source, f.flows)
	if err != nil {
		t.Fatalf("%s: %v", f.source, err)
	}
	lines := make([]string, len(f.flows))
	for i, fl := range f.flows {
		fl.Cookie = entries[i].ID.Cookie
		lines[i] = fl.String()
	}
	return lines
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test ./pipeline -update and look at the difference\ngot:\n%s", name, got)
	}
}

func TestFragmentsAreGolden(t *testing.T) {
	var b strings.Builder
	for _, f := range exampleFragments() {
		b.WriteString("# " + f.source + "\n" + strings.Join(sealed(t, f), "\n") + "\n\n")
	}
	for _, self := range []string{"h1", "h2", "h3"} {
		b.WriteString("# groups of Gateway edge on " + self + "\n")
		for _, g := range GatewayGroups(edge, carriers, self, exampleLinks[self]) {
			b.WriteString(g.String() + "\n")
		}
		b.WriteString("\n")
	}
	b.WriteString("# a witness\n" + strings.Join(sealed(t, fragment{"Host h3", Witness()}), "\n") + "\n\n")
	b.WriteString("# groups of Host h1\n")
	for _, g := range HostGroups(examplePeers, exampleLinks["h1"]) {
		b.WriteString(g.String() + "\n")
	}
	golden(t, filepath.Join("testdata", "fragments.txt"), b.String())
}

func TestPipelineDocument(t *testing.T) {
	var flows []openflow.Flow
	for _, f := range exampleFragments() {
		flows = append(flows, f.flows...)
	}
	var b strings.Builder
	if err := Document(&b, flows); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("..", "docs", "pipeline.md"), b.String())
}

func TestCheckFollowsConnectionTracking(t *testing.T) {
	flow := openflow.Flow{Table: TableClassify, Actions: []openflow.Action{openflow.CT{Table: TableTracked}}}
	if Check(flow) == nil {
		t.Error("a jump by way of connection tracking is not seen")
	}
}

func TestFlowsKeepToTheirTables(t *testing.T) {
	for _, f := range exampleFragments() {
		for _, fl := range f.flows {
			if err := Check(fl); err != nil {
				t.Errorf("%s: %s: %v", f.source, fl, err)
			}
		}
	}
}

func TestTablesGoForward(t *testing.T) {
	for _, table := range Tables() {
		for _, next := range table.Next {
			// A chain goes back to its next position, which is always a later one.
			if next <= table.Number && next != TableFloodRemote && table.Number != TableToOutside && table.Number < TableBegin {
				t.Errorf("table %s goes back to table %d", table.Name, next)
			}
		}
	}
}

// No two flows of a host may have the same table, priority and match: the switch
// would keep only one of them.
func TestNoFlowReplacesAnother(t *testing.T) {
	seen := map[string]string{}
	for _, f := range exampleFragments() {
		for _, line := range sealed(t, f) {
			_, rest, _ := strings.Cut(line, ", ") // without the cookie
			key, _, _ := strings.Cut(rest, " actions=")
			if other, ok := seen[key]; ok {
				t.Errorf("%q is in %s and in %s", key, f.source, other)
			}
			seen[key] = f.source
		}
	}
}

// exampleSwitch is a real switch with the flows of host 192.0.2.1: web1 at port 10.
func exampleSwitch(t *testing.T) *ovstest.Host {
	t.Helper()
	h := ovstest.Start(t)
	h.StartSwitch()
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "fail_mode=secure",
		"--", "add-port", "br-int", "vx", "--", "set", "interface", "vx", "type=vxlan", "ofport_request=1", "options:key=flow", "options:remote_ip=flow",
		"--", "add-port", "br-int", "patch", "--", "set", "interface", "patch", "type=dummy", "ofport_request=61000",
		"--", "add-port", "br-int", "link2", "--", "set", "interface", "link2", "type=dummy", "ofport_request=50002",
		"--", "add-port", "br-int", "presence2", "--", "set", "interface", "presence2", "type=dummy", "ofport_request=30002",
		"--", "add-port", "br-int", "link3", "--", "set", "interface", "link3", "type=dummy", "ofport_request=50003",
		"--", "add-port", "br-int", "standin2", "--", "set", "interface", "standin2", "type=dummy", "ofport_request=40002",
		"--", "add-port", "br-int", "tick", "--", "set", "interface", "tick", "type=dummy", "ofport_request=63000",
		"--", "add-port", "br-int", "p21", "--", "set", "interface", "p21", "type=dummy", "ofport_request=21",
		"--", "add-port", "br-int", "p22", "--", "set", "interface", "p22", "type=dummy", "ofport_request=22",
		"--", "add-port", "br-int", "p23", "--", "set", "interface", "p23", "type=dummy", "ofport_request=23",
		"--", "add-port", "br-int", "p10", "--", "set", "interface", "p10", "type=dummy", "ofport_request=10")
	waitOFPort(t, h, "p10", "10")
	h.Ofctl("mod-port", "br-int", "standin2", "down")
	for _, m := range append(BaseMeters(), exampleMeters()...) {
		h.Ofctl("-O", "OpenFlow13", "add-meter", "br-int", fmt.Sprintf("meter=%d pktps burst stats bands=type=drop rate=%d burst_size=%d", m.ID, m.Rate, m.Burst))
	}
	for _, g := range exampleGroups() {
		h.Ofctl("-O", "OpenFlow13", "add-group", "br-int", g.String())
	}
	var lines []string
	for _, f := range exampleFragments() {
		lines = append(lines, sealed(t, f)...)
	}
	file := filepath.Join(h.Dir, "flows.txt")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Ofctl("-O", "OpenFlow13", "add-flows", "br-int", file)
	return h
}

// A real switch takes the golden flows, and says the same text.
func TestARealSwitchAgrees(t *testing.T) {
	h := exampleSwitch(t)
	var want []string
	for _, f := range exampleFragments() {
		want = append(want, sealed(t, f)...)
	}
	var got []string
	for _, line := range strings.Split(h.Ofctl("-O", "OpenFlow13", "--no-stats", "--no-names", "dump-flows", "br-int"), "\n") {
		got = append(got, strings.TrimSpace(line))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		for _, l := range want {
			if !slices.Contains(got, l) {
				t.Errorf("missing: %s", l)
			}
		}
		for _, l := range got {
			if !slices.Contains(want, l) {
				t.Errorf("extra:   %s", l)
			}
		}
	}
}

// However many hosts and ports a network has, each is reached once, and one more
// port changes only a bounded part of the flows.
func TestFloodReachesEveryPortOnce(t *testing.T) {
	for _, n := range []int{1, 16, 17, 500, 4000} {
		ports := make([]uint32, n)
		for i := range ports {
			ports[i] = uint32(10 + 3*i)
		}
		flows := NetworkLocal(blue, ports)
		seen := map[uint32]int{}
		for _, f := range flows {
			for _, a := range f.Actions {
				if o, ok := a.(openflow.Output); ok {
					seen[o.Port]++
				}
			}
		}
		for _, p := range ports {
			if seen[p] != 1 {
				t.Fatalf("%d ports: port %d is reached %d times", n, p, seen[p])
			}
		}
		if _, err := openflow.Seal("x", flows); err != nil {
			t.Errorf("%d ports: %v", n, err)
		}
		for _, f := range flows {
			if err := Check(f); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFloodReachesEveryHostOnce(t *testing.T) {
	for _, n := range []int{1, 500, 501, 3000} {
		vteps := make([]netip.Addr, n)
		for i := range vteps {
			vteps[i] = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		}
		flows := Network(blue, Members{VTEPs: vteps})
		seen := map[[16]byte]int{}
		for _, f := range flows {
			for _, a := range f.Actions {
				if s, ok := a.(openflow.SetField); ok && s.Field == openflow.TunIPv4Dst {
					seen[s.Value]++
				}
			}
		}
		if len(seen) != n {
			t.Errorf("%d hosts: %d are reached", n, len(seen))
		}
		if _, err := openflow.Seal("x", flows); err != nil {
			t.Errorf("%d hosts: %v", n, err)
		}
	}
}

// Who sends to a next hop that is not known must not keep its answer away.
func TestAnswersHaveAMeterOfTheirOwn(t *testing.T) {
	meters := map[Reason]map[uint32]bool{}
	for _, f := range exampleFragments() {
		for _, fl := range f.flows {
			for _, a := range fl.Actions {
				if v, ok := a.(openflow.SetField); ok && v.Field == RegReason {
					why := Reason(v.Value[3])
					if meters[why] == nil {
						meters[why] = map[uint32]bool{}
					}
					meters[why][fl.Meter] = true
				}
			}
		}
	}
	if len(meters[ReasonResolve]) == 0 || len(meters[ReasonHeard]) == 0 {
		t.Fatalf("meters by reason: %v", meters)
	}
	for m := range meters[ReasonHeard] {
		if m == 0 || meters[ReasonResolve][m] {
			t.Errorf("answers have meter %d, which questions have as well", m)
		}
	}
}

// Where a router is connected for services only, these do not begin connections to
// networks that keep their addresses: what comes from them has to be an answer.
func TestServicesOnlyAnswer(t *testing.T) {
	a := *coreExit
	r := *core
	r.Spec.Gateways = []topology.RouterGateway{{Name: "edge", ServicesOnly: true}}
	a.Router = &r
	a.Services = []*topology.Service{{
		Metadata:  topology.Metadata{Tenant: "acme", Name: "dns6"},
		Spec:      topology.ServiceSpec{Gateway: "edge", Address: netip.MustParseAddr("2001:db8::53"), Ports: []topology.ServicePort{{Protocol: "udp", Port: 53}}},
		Allocated: topology.ServiceAllocation{InsideAddress: netip.MustParseAddr("2001:db8::53")},
	}}
	tracked := map[uint8]bool{}
	for _, f := range AtGateway(&a) {
		v6 := slices.ContainsFunc(f.Match, func(v openflow.FieldValue) bool { return v == ethType(ethIPv6) })
		if f.Table == TableTranslate && f.Goto == TableArrive || f.Table == TableLeave && f.Goto == TableNextHop {
			t.Errorf("a packet passes table %d whatever connection tracking says: %v", f.Table, f.Match)
		}
		for _, act := range f.Actions {
			if ct, ok := act.(openflow.CT); ok && v6 && ct.Zone == uint16(a.At.Zone) {
				tracked[f.Table] = ct.Commit == (f.Table == TableLeave)
			}
		}
	}
	if !tracked[TableLeave] || !tracked[TableTranslate] {
		t.Errorf("connection tracking sees %v", tracked)
	}
}
