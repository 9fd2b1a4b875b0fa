package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// served is an outside whose router core, of the networks blue and red, is connected
// to the gateway edge, with a service dns there.
func served(t testing.TB) *State {
	t.Helper()
	s := outside(t)
	commit(t, s, `
{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue, red], gateways: [{name: edge, servicesOnly: true}]}}
---
{kind: Gateway, metadata: {name: spare}, spec: {externalNetwork: internet, hosts: [{name: h1}], addresses: [192.0.2.66]}}
---
{kind: Service, metadata: {name: dns, tenant: acme}, spec: {gateway: edge, address: 203.0.113.53, insideAddress: 10.9.0.53, ports: [{protocol: udp, port: 53}, {protocol: tcp, port: 53}]}}
`)
	return s
}

func serviceSpec(name, spec string) string {
	return "{kind: Service, metadata: {name: " + name + ", tenant: acme}, spec: {" + spec + "}}"
}

func TestServices(t *testing.T) {
	s := served(t)
	dns := s.Get(Key{KindService, "acme", "dns"}).(*Service)
	if dns.Allocated != (ServiceAllocation{"internet", netip.MustParseAddr("10.9.0.53")}) {
		t.Errorf("%+v", dns.Allocated)
	}
	plain := commit(t, s, serviceSpec("plain", "gateway: edge, address: 203.0.113.80, ports: [{protocol: tcp, port: 80}]"))[0].(*Service)
	if plain.Allocated.InsideAddress != plain.Spec.Address {
		t.Errorf("%+v", plain.Allocated)
	}
	core := s.Get(Key{KindRouter, "acme", "core"}).(*Router)
	if got := core.Spec.Gateways[0].Prefixes(); len(got) != 0 {
		t.Errorf("a router that is connected for services only leads to %s", got)
	}
	if got := core.Allocated.Gateways[0].Addresses; len(got) != 1 {
		t.Errorf("it has the addresses %s outside", got)
	}
	for key, want := range map[Key]string{
		{Kind: KindGateway, Name: "edge"}: "[Router acme/core Service acme/dns Service acme/plain]",
		{Kind: KindTenant, Name: "acme"}:  "Service acme/plain]",
	} {
		_, err := s.Try([]Change{{Op: OpDelete, Key: key}}, testEnv)
		var ref *ReferencedError
		if !errors.As(err, &ref) || !strings.HasSuffix(fmt.Sprint(ref.By), want) {
			t.Errorf("deleting %s: %v", key, err)
		}
	}
}

func TestServiceConflicts(t *testing.T) {
	const inSubnet = "give the service another insideAddress first (held by Service acme/dns)"
	for _, tc := range []struct{ what, doc, want string }{
		{"no such gateway", serviceSpec("x", "gateway: nope, address: 203.0.113.1, ports: [{protocol: tcp, port: 1}]"), `spec.gateway: gateway "nope" does not exist; create it first`},
		{"no such tenant", "{kind: Service, metadata: {name: x, tenant: nobody}, spec: {gateway: edge, address: 203.0.113.1, ports: [{protocol: tcp, port: 1}]}}", "tenant nobody does not exist"},

		{"inside, in a subnet", serviceSpec("x", "gateway: edge, address: 203.0.113.1, insideAddress: 10.1.0.7, ports: [{protocol: tcp, port: 1}]"),
			"Service acme/x: spec.insideAddress: 10.1.0.7 is in subnet 10.1.0.0/24 of network red, which Router acme/core joins, and that is connected to gateway edge: endpoints would not reach the service; choose another insideAddress (held by Network acme/red)"},
		{"its own, in a subnet", serviceSpec("x", "gateway: edge, address: 10.0.0.200, ports: [{protocol: tcp, port: 1}]"), "Service acme/x: spec.address: 10.0.0.200 is in subnet 10.0.0.0/24 of network blue"},
		{"IPv6, in a subnet", serviceSpec("x", "gateway: edge, address: 'fd00::7', ports: [{protocol: tcp, port: 1}]"), "fd00::7 is in subnet fd00::/64 of network blue"},
		{"at another gateway", serviceSpec("x", "gateway: spare, address: 203.0.113.1, insideAddress: 10.1.0.7, ports: [{protocol: tcp, port: 1}]"), ""},
		{"of another tenant", "{kind: Service, metadata: {name: dns, tenant: other}, spec: {gateway: edge, address: 203.0.113.53, insideAddress: 10.0.0.53, ports: [{protocol: udp, port: 53}]}}", ""},
		{"a subnet that grows", "{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.1.0.0/24, gateway: 10.1.0.254}, {cidr: 10.9.0.0/26}]}}",
			"Network acme/red: spec.subnets: subnet 10.9.0.0/26 of network red, joined by Router acme/core, holds 10.9.0.53, by which a service at gateway edge is reached; " + inSubnet},
		{"a network that is joined", "{kind: Network, metadata: {name: net, tenant: acme}, spec: {subnets: [{cidr: 10.9.0.0/26}]}}\n---\n{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue, net], gateways: [{name: edge}]}}",
			"Router acme/core: spec.gateways[0]: subnet 10.9.0.0/26 of network net"},
		{"a router that is connected", "{kind: Network, metadata: {name: net, tenant: acme}, spec: {subnets: [{cidr: 10.9.0.0/26}]}}\n---\n{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [net], gateways: [{name: spare}, {name: edge, servicesOnly: true}]}}",
			"Router acme/r: spec.gateways[1]: subnet 10.9.0.0/26 of network net, joined by Router acme/r, holds 10.9.0.53"},
		{"a router that is not", "{kind: Network, metadata: {name: net, tenant: acme}, spec: {subnets: [{cidr: 10.9.0.0/26}]}}\n---\n{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [net], gateways: [{name: spare}]}}", ""},
		{"both at once", "{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.9.0.0/26}]}}\n---\ndelete Service acme/dns", ""},

		{"inside taken", serviceSpec("x", "gateway: edge, address: 203.0.113.1, insideAddress: 10.9.0.53, ports: [{protocol: tcp, port: 1}, {protocol: tcp, port: 53}]"),
			"Service acme/x: spec.ports[1]: tcp port 53 of 10.9.0.53 inside is that of another service already, and packets could not be told apart (held by Service acme/dns)"},
		{"outside taken", serviceSpec("x", "gateway: edge, address: 203.0.113.53, ports: [{protocol: udp, port: 53}]"), "udp port 53 of 203.0.113.53 is the address outside of another service"},
		{"other ports of both", serviceSpec("x", "gateway: edge, address: 203.0.113.53, insideAddress: 10.9.0.53, ports: [{protocol: tcp, port: 54}]"), ""},
		{"the same inside at another gateway", serviceSpec("x", "gateway: spare, address: 203.0.113.53, insideAddress: 10.9.0.53, ports: [{protocol: tcp, port: 53}]"), "inside is that of another service"},
		{"the same outside at another gateway", serviceSpec("x", "gateway: spare, address: 203.0.113.53, insideAddress: 10.9.0.54, ports: [{protocol: tcp, port: 53}]"), ""},
		{"it changes hands", serviceSpec("x", "gateway: edge, address: 203.0.113.53, ports: [{protocol: udp, port: 53}]") + "\n---\n" + serviceSpec("dns", "gateway: edge, address: 203.0.113.54, ports: [{protocol: udp, port: 53}]"), ""},
		{"another inside address", serviceSpec("dns", "gateway: edge, address: 203.0.113.53, ports: [{protocol: udp, port: 53}]"), ""},
	} {
		try(t, served(t), tc.what, tc.doc, tc.want)
	}
}

// try tries a manifest that is right if want is "", and refused with it otherwise, and
// checks that it can be undone.
func try(t *testing.T, s *State, what, doc, want string) {
	t.Helper()
	before := snapshot(s)
	d, err := s.Try(toChanges(t, doc), testEnv)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v\nwant  %s", what, err, want)
	}
	if d != nil {
		d.Undo()
	}
	if snapshot(s) != before {
		t.Errorf("%s: it left a trace", what)
	}
}

func TestBGPPeersAreOneNetworksAlone(t *testing.T) {
	const peer = "physicalNetwork: p, subnets: [{cidr: 198.51.100.0/24}], bgp: {asn: 65000, peers: [{address: 198.51.100.9, asn: 65001}, {address: 192.0.2.1, asn: 65001}]}"
	ext := func(name string) string {
		return "{kind: ExternalNetwork, metadata: {name: " + name + "}, spec: {" + peer + "}}"
	}
	s := outside(t)
	commit(t, s, ext("one"))
	try(t, s, "two at once", ext("two"), "ExternalNetwork two: spec.bgp.peers[0].address: 198.51.100.9 is a peer of another external network; a router is a peer of one (held by ExternalNetwork one)")
	try(t, s, "again", ext("one"), "")
	try(t, s, "instead", ext("two")+"\n---\ndelete ExternalNetwork one", "")
	commit(t, s, "delete ExternalNetwork one")
	try(t, s, "afterwards", ext("two"), "")
}

func TestFloatingIPConflicts(t *testing.T) {
	fip := func(name, spec string) string {
		return "{kind: FloatingIP, metadata: {name: " + name + ", tenant: acme}, spec: {" + spec + "}}"
	}
	for _, tc := range []struct{ what, doc, want string }{
		{"one port, two floating IPs", fip("x", "gateway: edge, ports: [{protocol: tcp, port: 9, endpoint: auto}, {protocol: tcp, port: 80, endpoint: web1, endpointPort: 8080}]"),
			"FloatingIP acme/x: spec.ports[1].endpointPort: tcp port 8080 of Endpoint acme/web1 is reached at gateway edge by another floating IP already, and replies could not be told apart; choose another port (held by FloatingIP acme/ports)"},
		{"the same port without translation", fip("x", "gateway: edge, ports: [{protocol: tcp, port: 8080, endpoint: web1}]"), "held by FloatingIP acme/ports"},
		{"another port", fip("x", "gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: web1}]"), ""},
		{"another protocol", fip("x", "gateway: edge, ports: [{protocol: udp, port: 8080, endpoint: web1}]"), ""},
		{"another gateway", fip("x", "gateway: spare, address: 192.0.2.70, ports: [{protocol: tcp, port: 8080, endpoint: web1}]"), ""},
		{"IPv6 beside IPv4", fip("x", "gateway: edge, address: '2001:db8::77', ports: [{protocol: tcp, port: 8080, endpoint: auto}]") + "\n---\n" + fip("z", "gateway: edge, ports: [{protocol: tcp, port: 8080, endpoint: auto}]"), ""},
		{"IPv6 twice", fip("x", "gateway: edge, address: '2001:db8::77', ports: [{protocol: tcp, port: 8080, endpoint: auto}]") + "\n---\n" + fip("z", "gateway: edge, address: '2001:db8::78', ports: [{protocol: tcp, port: 8080, endpoint: auto}]"), "tcp port 8080 of Endpoint acme/auto"},
		{"it changes hands", fip("x", "gateway: edge, ports: [{protocol: tcp, port: 8080, endpoint: web1}]") + "\n---\ndelete FloatingIP acme/ports", ""},

		{"the whole beside ports", fip("x", "gateway: edge, endpoint: web1"),
			"FloatingIP acme/x: spec.endpoint: ports of 10.0.0.10 of Endpoint acme/web1 are reached by the floating IP 192.0.2.3 at the same gateway already, and replies could not be told apart (held by FloatingIP acme/ports)"},
		{"the whole at another gateway", fip("x", "gateway: spare, address: 192.0.2.70, endpoint: web1"), ""},
		{"ports beside the whole", fip("x", "gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: two}]"),
			"FloatingIP acme/x: spec.ports[0].endpoint: the whole of 10.1.0.20 of Endpoint acme/two is reached by the floating IP 192.0.2.16 at the same gateway already, and replies could not be told apart (held by FloatingIP acme/whole)"},
		{"ports at another gateway than the whole", fip("x", "gateway: spare, address: 192.0.2.70, ports: [{protocol: tcp, port: 80, endpoint: two}]"), ""},
		{"the whole of another address", fip("whole", "gateway: edge, endpoint: two, endpointAddress: 10.1.0.21") + "\n---\n" + fip("x", "gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: two}]"), ""},
		{"an endpoint whose addresses change places", fip("whole", "gateway: edge, endpoint: two, endpointAddress: 10.1.0.21") + "\n---\n" + fip("x", "gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: two}]") +
			"\n---\n{kind: Endpoint, metadata: {name: two, tenant: acme}, spec: {network: red, addresses: [10.1.0.21, 10.1.0.20]}}", "10.1.0.21 of Endpoint acme/two"},
	} {
		s := outside(t)
		commit(t, s, `
{kind: Gateway, metadata: {name: spare}, spec: {externalNetwork: internet, hosts: [{name: h1}], addresses: [192.0.2.66]}}
---
{kind: Endpoint, metadata: {name: two, tenant: acme}, spec: {network: red, addresses: [10.1.0.20, 10.1.0.21]}}
---
{kind: FloatingIP, metadata: {name: ports, tenant: acme}, spec: {gateway: edge, ports: [{protocol: tcp, port: 8080, endpoint: web1}]}}
---
{kind: FloatingIP, metadata: {name: whole, tenant: acme}, spec: {gateway: edge, endpoint: two}}
`)
		try(t, s, tc.what, tc.doc, tc.want)
	}
}

// An endpoint cannot get an address that ports and a whole floating IP would share.
func TestAddressesChangePlacesLater(t *testing.T) {
	s := outside(t)
	commit(t, s, `
{kind: Endpoint, metadata: {name: two, tenant: acme}, spec: {network: red, addresses: [10.1.0.20, 10.1.0.21]}}
---
{kind: FloatingIP, metadata: {name: whole, tenant: acme}, spec: {gateway: edge, endpoint: two, endpointAddress: 10.1.0.21}}
---
{kind: FloatingIP, metadata: {name: ports, tenant: acme}, spec: {gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: two}]}}
`)
	try(t, s, "they change places", "{kind: Endpoint, metadata: {name: two, tenant: acme}, spec: {network: red, addresses: [10.1.0.21, 10.1.0.20]}}", "Endpoint acme/two: spec.addresses: the floating IP")
}

func TestTargets(t *testing.T) {
	s := outside(t)
	objects := commit(t, s, `
{kind: Endpoint, metadata: {name: bare, tenant: acme}, spec: {network: flat}}
---
{kind: FloatingIP, metadata: {name: web, tenant: acme}, spec: {gateway: edge, endpoint: web1}}
---
{kind: FloatingIP, metadata: {name: six, tenant: acme}, spec: {gateway: edge, address: '2001:db8::50', endpoint: auto}}
---
{kind: FloatingIP, metadata: {name: ports, tenant: acme}, spec: {gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: auto, endpointPort: 8080}, {protocol: tcp, port: 81, endpoint: bare}, {protocol: udp, port: 53, endpoint: auto}]}}
---
{kind: FloatingIP, metadata: {name: kept, tenant: acme}, spec: {gateway: edge}}
`)
	lookup := func(k Key) *Endpoint {
		e, _ := s.Get(k).(*Endpoint)
		return e
	}
	for i, want := range []string{
		"[{Endpoint acme/web1 10.0.0.10  0 0}]",
		"[{Endpoint acme/auto fd00::2  0 0}]",
		"[{Endpoint acme/auto 10.0.0.2 tcp 80 8080} {Endpoint acme/auto 10.0.0.2 udp 53 53}]",
		"[]",
	} {
		if got := fmt.Sprint(objects[i+1].(*FloatingIP).Targets(lookup)); got != want {
			t.Errorf("%s stands for %s, want %s", objects[i+1].Key(), got, want)
		}
	}
	if got := objects[1].(*FloatingIP).Targets(func(Key) *Endpoint { return nil }); got != nil {
		t.Errorf("without endpoints: %v", got)
	}
}

func TestHostsHaveNumbers(t *testing.T) {
	s := NewState()
	host := func(op Op, name string, report HostAllocation) *Host {
		t.Helper()
		d, err := s.Try([]Change{{Op: op, Key: Key{Kind: KindHost, Name: name}, Object: &Host{Metadata: Metadata{Name: name}, Allocated: report}}}, testEnv)
		if err != nil {
			t.Fatal(err)
		}
		return d.Objects[0].(*Host)
	}
	registered, put := host(OpRegister, "h1", HostAllocation{ID: 4711}), host(OpPut, "h2", HostAllocation{ID: 4711})
	for _, h := range []*Host{registered, put} {
		if id := h.Allocated.ID; id < 1 || id > MaxHostID || id == 4711 {
			t.Errorf("%s has the number %d", h.Key(), id)
		}
	}
	if registered.Allocated.ID == put.Allocated.ID {
		t.Errorf("both have the number %d", put.Allocated.ID)
	}
	again := host(OpRegister, "h2", HostAllocation{ID: 1, Hostname: "new"})
	if again.Allocated.ID != put.Allocated.ID || again.Allocated.Hostname != "new" {
		t.Errorf("registered again: %+v, was %+v", again.Allocated, put.Allocated)
	}
	// An earlier version gave none.
	s.Put(&Host{Metadata: Metadata{Name: "old"}, Allocated: HostAllocation{DatapathID: 99}})
	old := host(OpRegister, "old", HostAllocation{})
	if old.Allocated.ID == 0 || old.Allocated.DatapathID != 99 {
		t.Errorf("%+v", old.Allocated)
	}
}

func TestHostNumbersRunOut(t *testing.T) {
	s := NewState()
	changes := func(n int) []Change {
		list := make([]Change, n)
		for i := range list {
			list[i].Object = &Host{Metadata: Metadata{Name: fmt.Sprintf("h%d", i)}}
		}
		return list
	}
	if _, err := s.Try(changes(MaxHostID), testEnv); err != nil {
		t.Fatal(err)
	}
	more := []Change{{Object: &Host{Metadata: Metadata{Name: "more"}}}}
	if _, err := s.Try(more, testEnv); fmt.Sprint(err) != "Host more: metadata.name: all 10000 numbers of hosts are taken; delete a host that is gone for good" {
		t.Errorf("error %v", err)
	}
	gone := s.Get(Key{Kind: KindHost, Name: "h7"}).(*Host)
	d, err := s.Try(append(more, Change{Op: OpDelete, Key: gone.Key()}), testEnv)
	if err != nil || d.Objects[0].(*Host).Allocated.ID != gone.Allocated.ID {
		t.Errorf("the one free number: %v", err)
	}
}
