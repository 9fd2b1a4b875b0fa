package integration

import (
	"fmt"
	"testing"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 5 of chains: two tenants with the same addresses share a provider's firewall,
// which tells them apart by VLAN. Neither sees the other's packets.
func TestTenantsShareAFirewall(t *testing.T) {
	t.Parallel()
	s := &chainSite{start(t, 3)}
	tenants := []string{"acme", "globex"}
	m := new(manifest).tenant("carrier").network("carrier", "svc", svcNet)
	m.endpoint("carrier", "fw-in", "svc").endpoint("carrier", "fw-out", "svc")
	m.WriteString("---\nkind: ServiceFunction\nmetadata: {tenant: carrier, name: fw}\nspec: {type: transparent, tagged: true, sharedWith: [acme, globex], instances: [{in: fw-in, out: fw-out}]}\n")
	for _, tenant := range tenants {
		m.tenant(tenant).network(tenant, "web", webNet).network(tenant, "db", dbNet).router(tenant, "core", "web", "db").
			endpoint(tenant, "web1", "web", "10.0.0.11").endpoint(tenant, "db1", "db", "10.0.2.11")
		fmt.Fprintf(m, "---\nkind: Chain\nmetadata: {tenant: %s, name: guarded}\nspec: {router: core, functions: [carrier/fw], sources: [{network: web}], destinations: [{network: db}]}\n", tenant)
	}
	s.api.apply(t, m.String())
	nodes := map[string]*node{}
	for _, tenant := range tenants {
		nodes[tenant+"/web1"], nodes[tenant+"/db1"] = s.attach(tenant+"/web1", "h1"), s.attach(tenant+"/db1", "h3")
	}
	in, out := nodeArm(s, "carrier/fw-in"), nodeArm(s, "carrier/fw-out")
	fw, err := s.lab.AttachTransparent(s.lab.Host("h2"), in, out)
	if err != nil {
		t.Fatal(err)
	}
	s.realized("acme/web1", "acme/db1", "globex/web1", "globex/db1", "carrier/fw-in", "carrier/fw-out")
	vlan := map[string]int{}
	for _, tenant := range tenants {
		path := "/v1/tenants/" + tenant + "/chains/guarded"
		s.api.realized(t, path)
		vlan[tenant] = s.tag(path)
		s.echo(nodes[tenant+"/db1"], 22)
		s.echo(nodes[tenant+"/db1"], 5432)
	}
	if vlan["acme"] == vlan["globex"] || vlan["acme"] == 0 {
		t.Fatalf("tags %v", vlan)
	}
	// acme may not use port 22, and globex not 5432.
	if err := fw.Guard(lab.Guard{Counters: []string{"acme", "globex", "untagged"}, Rules: []string{
		fmt.Sprintf("vlan id %d counter name acme", vlan["acme"]), fmt.Sprintf("vlan id %d counter name globex", vlan["globex"]),
		fmt.Sprintf("vlan id %d tcp dport 22 drop", vlan["acme"]), fmt.Sprintf("vlan id %d tcp dport 5432 drop", vlan["globex"]),
		"ether type ip counter name untagged drop",
	}}); err != nil {
		t.Fatal(err)
	}
	taps := map[string]*lab.Tap{}
	for id, n := range nodes {
		tap, err := lab.StartTap(n.Workload, func(frame []byte) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tap.Close() })
		taps[id] = tap
	}
	mustConnect(t, nodes["acme/web1"], "10.0.2.11:5432")
	if got := s.counted(fw, "globex"); got > 0 {
		t.Errorf("%d packets of acme have globex's tag", got)
	}
	if acme := s.counted(fw, "acme"); acme < 6 {
		t.Errorf("%d packets of acme were seen", acme)
	}
	for id, tap := range taps {
		if n := ipv4Frames(tap); id[0] == 'g' && n > 0 {
			t.Errorf("%s gets %d packets of acme", id, n)
		}
	}
	before := s.counted(fw, "acme")
	mustConnect(t, nodes["globex/web1"], "10.0.2.11:22")
	mustNotConnect(t, nodes["globex/web1"], "10.0.2.11:5432")
	if got := s.counted(fw, "acme"); got != before {
		t.Errorf("%d packets of globex have acme's tag", got-before)
	}
	mustNotConnect(t, nodes["acme/web1"], "10.0.2.11:22")
	if got := s.counted(fw, "untagged"); got > 0 {
		t.Errorf("%d packets have no tag", got)
	}
}

// ipv4Frames is how many IPv4 packets a tap has seen, with or without a tag.
func ipv4Frames(tap *lab.Tap) (n int) {
	for _, f := range tap.Frames() {
		if len(f) > 18 && (f[12] == 8 && f[13] == 0 || f[12] == 0x81 && f[16] == 8 && f[17] == 0) {
			n++
		}
	}
	return n
}
