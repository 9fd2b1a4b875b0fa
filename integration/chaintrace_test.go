package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Acceptance 7 of chains: packets take exactly the hops that the chain declares, as
// Open vSwitch itself says; and a chain changes nothing for what its classifier does not
// match.
func TestChainsByTrace(t *testing.T) {
	t.Parallel()
	s := startChains(t, 3)
	m := new(manifest).endpoints("web1 web 10.0.0.11", "web2 web 10.0.0.12", "app1 app 10.0.1.11", "db1 db 10.0.2.11", "db2 db 10.0.2.12",
		"ids-in svc", "ids-out svc", "fw-in svc 10.0.9.11", "fw-out svc 10.0.9.12", "late-in svc", "late-out svc").
		function("ids", "type: transparent, instances: [{in: ids-in, out: ids-out}]").
		function("fw", "type: routed, instances: [{in: fw-in, out: fw-out}]").
		function("late", "type: transparent, instances: [{in: late-in, out: late-out}]")
	s.api.apply(t, m.String())
	places := map[string]string{"web1": "h1", "web2": "h2", "app1": "h2", "db1": "h3", "db2": "h1"}
	tr := &tracer{chainSite: s, ports: map[string]string{}, macs: map[string]string{}}
	for name, host := range places {
		n := s.attach("acme/"+name, host)
		tr.know(name, host, n.Port(), n.mac)
	}
	for name, host := range map[string]string{"ids": "h1", "fw": "h2", "late": "h3"} {
		make := s.transparent
		if name == "fw" {
			make = s.routed
		}
		f := make(name, host)
		tr.know(name+"-in", host, f.In.Port(), s.arm(name+"-in").MAC)
		tr.know(name+"-out", host, f.Out.Port(), s.arm(name+"-out").MAC)
	}
	for name := range tr.macs {
		s.realized("acme/" + name)
	}
	const toGateway = "0e:64:76:00:00:01"
	web1, web2, app1, db1 := "10.0.0.11", "10.0.0.12", "10.0.1.11", "10.0.2.11"
	others := []struct{ from, packet, to string }{
		{"web1", tcpTo(web1, db1, 81), "db1"}, {"web1", tcpTo(web1, app1, 80), "app1"}, {"app1", tcpTo(app1, db1, 80), "db1"},
		{"web2", tcpTo(web2, db1, 79), "db1"}, {"db1", tcpTo(db1, web1, 80), "web1"}, {"web1", udpTo(web1, db1, 80), "db1"},
	}
	before := map[int][]string{}
	for i, o := range others {
		before[i] = tr.follow(o.from, toGateway, o.packet)
		if want := []string{o.to + "@" + places[o.to]}; !slices.Equal(before[i], want) {
			t.Errorf("without a chain, %s from %s goes %v, want %v", o.packet, o.from, before[i], want)
		}
	}
	flows := map[string][]flow{}
	for _, h := range []string{"h1", "h2", "h3"} {
		flows[h] = s.flows(h)
	}
	s.api.apply(t, new(manifest).chain("guarded", "functions: [ids, fw, late], sources: [{network: web}], destinations: [{network: db}], protocol: tcp, ports: [\"80\"]").String())
	s.api.realized(t, chainPath("guarded"))
	for _, test := range []struct {
		from, packet string
		want         string
	}{
		{"web1", tcpTo(web1, db1, 80), "ids-in@h1 fw-in@h2 late-in@h3 db1@h3"},
		{"web2", tcpTo(web2, "10.0.2.12", 80), "ids-in@h1 fw-in@h2 late-in@h3 db2@h1"},
		{"db1", tcpFrom(db1, web1, 80), "late-out@h3 fw-out@h2 ids-out@h1 web1@h1"},
		{"db2", tcpFrom("10.0.2.12", web2, 80), "late-out@h3 fw-out@h2 ids-out@h1 web2@h2"},
	} {
		if got := strings.Join(tr.follow(test.from, toGateway, test.packet), " "); got != test.want {
			t.Errorf("%s from %s goes %s\nwant %s", test.packet, test.from, got, test.want)
		}
	}
	for i, o := range others {
		if got := tr.follow(o.from, toGateway, o.packet); !slices.Equal(got, before[i]) {
			t.Errorf("%s from %s goes %v, went %v without the chain", o.packet, o.from, got, before[i])
		}
	}
	// Every flow that was there is there, and does the same.
	for h, list := range flows {
		now := map[string]bool{}
		for _, f := range s.flows(h) {
			now[f.text] = true
		}
		for _, f := range list {
			if !now[f.text] {
				t.Errorf("%s has no more %s", h, f.text)
			}
		}
	}
}

func tcpTo(from, to string, port int) string {
	return fmt.Sprintf("tcp,nw_src=%s,nw_dst=%s,nw_ttl=64,tcp_src=40000,tcp_dst=%d", from, to, port)
}

func tcpFrom(from, to string, port int) string {
	return fmt.Sprintf("tcp,nw_src=%s,nw_dst=%s,nw_ttl=64,tcp_src=%d,tcp_dst=40000", from, to, port)
}

func udpTo(from, to string, port int) string {
	return fmt.Sprintf("udp,nw_src=%s,nw_dst=%s,nw_ttl=64,udp_src=40000,udp_dst=%d", from, to, port)
}

// tracer follows packets from host to host and through functions, by ofproto/trace.
type tracer struct {
	*chainSite
	ports map[string]string // HOST/OFPORT to endpoint
	macs  map[string]string // by endpoint
}

func (tr *tracer) know(name, host, port, mac string) {
	tr.t.Helper()
	tr.ports[host+"/"+strings.TrimSpace(tr.vsctl(host, "get", "interface", port, "ofport"))] = name
	tr.macs[name] = mac
}

// portOf is HOST/OFPORT of an endpoint.
func (tr *tracer) portOf(name string) (host, ofport string) {
	for at, n := range tr.ports {
		if n == name {
			host, ofport, _ = strings.Cut(at, "/")
		}
	}
	return host, ofport
}

var (
	outputPort = regexp.MustCompile(`(?m)^ +output:(\d+)$`)
	tunnelDst  = regexp.MustCompile(`set_field:([0-9.]+)->tun_dst`)
	tunnelID   = regexp.MustCompile(`NXM_NX_TUN_ID\[0\.\.(\d+)\] is now 0x([0-9a-f]+)`)
	ethernet   = regexp.MustCompile(`set_field:([0-9a-f:]{17})->eth_(src|dst)`)
)

// follow is where a packet gets that an endpoint sends, as ENDPOINT@HOST, until it is
// delivered or dropped.
func (tr *tracer) follow(from, dst, packet string) (path []string) {
	host, ofport := tr.portOf(from)
	src, in := tr.macs[from], "in_port="+ofport
	for range 20 {
		out, err := tr.lab.Host(host).Appctl("ofproto/trace", "br-int", fmt.Sprintf("%s,dl_src=%s,dl_dst=%s,%s", in, src, dst, packet))
		if err != nil {
			tr.t.Fatal(err)
		}
		for _, m := range ethernet.FindAllStringSubmatch(out, -1) {
			if m[2] == "src" {
				src = m[1]
			} else {
				dst = m[1]
			}
		}
		ports := outputPort.FindAllStringSubmatch(out, -1)
		if len(ports) != 1 {
			return append(path, fmt.Sprintf("%d outputs at %s", len(ports), host))
		}
		if port := ports[0][1]; port != "1" {
			name := tr.ports[host+"/"+port]
			path = append(path, name+"@"+host)
			other, isFunction := strings.CutSuffix(name, "-in")
			if isFunction {
				name = other + "-out"
			} else if other, isFunction = strings.CutSuffix(name, "-out"); isFunction {
				name = other + "-in"
			}
			if !isFunction {
				return path
			}
			_, ofport = tr.portOf(name)
			in = "in_port=" + ofport
			if other == "fw" { // a router sends with its own MAC
				src, dst = tr.macs[name], "0e:64:76:00:00:01"
			}
			continue
		}
		vni := uint64(0)
		for _, m := range tunnelID.FindAllStringSubmatch(out, -1) {
			v, _ := strconv.ParseUint(m[2], 16, 64)
			if m[1] == "4" {
				v |= vni &^ 0x1f
			}
			vni = v
		}
		dsts := tunnelDst.FindAllStringSubmatch(out, -1)
		to := dsts[len(dsts)-1][1]
		in = fmt.Sprintf("in_port=1,tun_id=%d,tun_src=%s,tun_dst=%s", vni, tr.vtep(host), to)
		for _, h := range []string{"h1", "h2", "h3"} {
			if tr.vtep(h) == to {
				host = h
			}
		}
	}
	return append(path, "without end")
}
