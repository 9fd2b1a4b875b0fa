// Package integration has the scenarios: real hosts in a lab, a real controller
// process, driven by REST as a user would, and checked with the tools of Open
// vSwitch.
package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if err := lab.Preflight(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "dovetail-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := lab.Sweep(); err != nil {
		fmt.Fprintln(os.Stderr, "removing labs of an earlier run:", err)
		return 1
	}
	binary = filepath.Join(dir, "dovetail")
	build := exec.Command("go", "build", "-o", binary, "../cmd/dovetail")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the program:", err)
		return 1
	}
	return m.Run()
}

// world is a lab with a controller.
type world struct {
	t    *testing.T
	lab  *lab.Lab
	api  *api
	dir  string
	rest string
	// Where hosts find the controller.
	ovsdb, openFlow string

	flags []string
	ctl   *exec.Cmd
	log   *os.File
}

// start makes a lab of hosts and a controller, and waits until all hosts are
// ready. Both end with the test.
func start(t *testing.T, hosts int) *world {
	t.Helper()
	return startWith(t, hosts, setup{})
}

// setup says how a world differs from the plain one.
type setup struct {
	flags []string                    // more of the controller
	host  func(w *world, host string) // how a host is pointed at the controller
}

func startWith(t *testing.T, hosts int, s setup) *world {
	t.Helper()
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Name()))
	w := &world{t: t, rest: freeAddress(t), flags: s.flags}
	name := fmt.Sprintf("t%07x", h.Sum32()>>4)
	t.Cleanup(func() {
		if err := lab.Down(name); err != nil {
			t.Errorf("removing the lab: %v", err)
		}
	})
	var err error
	if w.lab, err = lab.Up(t.Context(), lab.Config{Name: name, Hosts: hosts, Owner: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	w.ovsdb = net.JoinHostPort(w.lab.Controller.String(), "6640")
	w.openFlow = net.JoinHostPort(w.lab.Controller.String(), "6653")
	w.begin(w.lab.Folder("controller"))
	for i := 1; i <= hosts; i++ {
		if s.host != nil {
			s.host(w, fmt.Sprintf("h%d", i))
		}
		path := fmt.Sprintf("/v1/hosts/h%d", i)
		eventually(t, 30*time.Second, func() error {
			_, _, err := w.api.do("GET", path, "", nil)
			if err == nil && !w.exists(path) {
				err = errors.New("the host has not registered")
			}
			return err
		})
		w.api.realized(t, path)
	}
	return w
}

// begin starts the controller, whose data and log are in dir, and ends it with the
// test.
func (w *world) begin(dir string) {
	w.t.Helper()
	w.api, w.dir = newAPI("http://"+w.rest), dir
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	var err error
	if w.log, err = os.Create(filepath.Join(w.dir, "controller.log")); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		w.killController()
		if w.t.Failed() {
			w.tail()
		}
	})
	w.startController()
}

// tail shows the end of the controller's log.
func (w *world) tail() {
	data, err := os.ReadFile(filepath.Join(w.dir, "controller.log"))
	if err == nil {
		w.t.Logf("the controller's log ends with\n%s", data[max(0, len(data)-4000):])
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// startController starts the controller process, on the data that is there.
func (w *world) startController() {
	w.t.Helper()
	w.ctl = exec.Command(binary, append([]string{"controller", "--data-dir", filepath.Join(w.dir, "data"), "--rest-listen", w.rest,
		"--ovsdb-listen", w.ovsdb, "--openflow-listen", w.openFlow}, w.flags...)...)
	w.ctl.Stdout, w.ctl.Stderr = w.log, w.log
	if err := w.ctl.Start(); err != nil {
		w.t.Fatal(err)
	}
	// Should this test be killed, the next run removes its lab with all processes.
	pid := filepath.Join(w.dir, "controller.pid")
	if err := os.WriteFile(pid, []byte(fmt.Sprint(w.ctl.Process.Pid)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, 30*time.Second, func() error {
		code, data, err := w.api.do("GET", "/readyz", "", nil)
		if err == nil && code != 200 {
			err = fmt.Errorf("%d %s", code, data)
		}
		return err
	})
}

// killController is kill -9.
func (w *world) killController() {
	if w.ctl != nil {
		_ = w.ctl.Process.Kill()
		_ = w.ctl.Wait()
		w.ctl = nil
	}
}

func (w *world) exists(path string) bool {
	code, _, err := w.api.do("GET", path, "", nil)
	return err == nil && code == 200
}

// realized waits until packets flow for the endpoints, given as TENANT/NAME.
func (w *world) realized(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.api.realized(w.t, endpointPath(id))
	}
}

func (w *world) vsctl(host string, args ...string) string {
	w.t.Helper()
	out, err := w.tryVsctl(host, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) tryVsctl(host string, args ...string) (string, error) {
	out, err := w.lab.Host(host).Vsctl(append([]string{"--no-wait"}, args...)...)
	return strings.Trim(out, `"`), err
}

func (w *world) ofctl(host string, args ...string) string {
	w.t.Helper()
	out, err := w.lab.Host(host).Ofctl(args...)
	if err != nil {
		w.t.Fatal(err)
	}
	// The transaction id of the request is part of the answer's first line.
	if _, rest, ok := strings.Cut(out, "\n"); ok && strings.Contains(out[:len(out)-len(rest)], "xid=") {
		return rest
	}
	return out
}

// flows are those of a host's br-int; none while the switch does not answer.
func (w *world) flows(host string) []flow {
	out, err := w.lab.Host(host).Ofctl("dump-flows", "br-int")
	if err != nil {
		return nil
	}
	return parseFlows(out)
}

// configuration is the host's database but for what only reports.
func (w *world) configuration(h *lab.Host) string {
	w.t.Helper()
	var b strings.Builder
	for _, table := range []struct{ name, columns string }{
		{"Open_vSwitch", "_uuid,bridges,external_ids,manager_options,other_config,next_cfg"},
		{"Bridge", "_uuid,name,controller,datapath_type,external_ids,fail_mode,other_config,ports,protocols"},
		{"Port", "_uuid,name,interfaces,external_ids,other_config,tag"},
		{"Interface", "_uuid,name,type,options,external_ids,ofport,ofport_request"},
		{"Controller", "_uuid,target,max_backoff,inactivity_probe,external_ids,other_config"},
	} {
		out, err := h.Vsctl("--no-wait", "--columns="+table.columns, "list", table.name)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n%s\n", table.name, out)
	}
	return b.String()
}

func (w *world) vtep(host string) string { return w.lab.Host(host).VTEP().String() }

// tunnelPort is the name of the VXLAN port of a host.
func (w *world) tunnelPort(host string) string {
	w.t.Helper()
	out, err := w.lab.Host(host).Vsctl("--no-wait", "--bare", "--columns=name", "find", "interface", "type=vxlan")
	if err != nil || out == "" {
		w.t.Fatalf("no VXLAN port on %s: %v", host, err)
	}
	return out
}

func (w *world) restartOVSDB(host string) {
	w.t.Helper()
	h := w.lab.Host(host)
	if err := errors.Join(h.KillOVSDB(), h.StartOVSDB()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) killSwitch(host string) {
	w.t.Helper()
	if err := w.lab.Host(host).KillSwitch(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) startSwitch(host string) {
	w.t.Helper()
	if err := w.lab.Host(host).RestartSwitch(); err != nil {
		w.t.Fatal(err)
	}
}

// repairs is how many repairs events have told of.
func (w *world) repairs(t testing.TB) int {
	t.Helper()
	req := exec.Command("curl", "-sN", "--max-time", "1", "-H", "Last-Event-ID: 1", w.api.base+"/v1/events")
	out, _ := req.Output()
	return bytes.Count(out, []byte(`"type":"repaired"`))
}

// node is a workload of an endpoint.
type node struct {
	*lab.Workload
	id, network string
	mac         string
	addresses   []string
}

// attach puts an endpoint, given as TENANT/NAME, on a host, as a container
// runtime would that asked REST for its addresses.
func (w *world) attach(id, host string) *node {
	w.t.Helper()
	r := w.api.get(w.t, endpointPath(id))
	n := &node{id: id, mac: r.Status.MAC, addresses: r.Status.Addresses}
	cfg := lab.AttachConfig{InterfaceID: r.Status.InterfaceID, MAC: r.Status.MAC}
	w.describe(n, r, &cfg)
	var err error
	if n.Workload, err = w.lab.Attach(w.lab.Host(host), cfg); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// describe fills in what the endpoint's network says.
func (w *world) describe(n *node, r resource, cfg *lab.AttachConfig) {
	w.t.Helper()
	var spec struct{ Network string }
	if err := json.Unmarshal(r.Spec, &spec); err != nil {
		w.t.Fatal(err)
	}
	n.network, n.mac, n.addresses = spec.Network, r.Status.MAC, r.Status.Addresses
	net := w.api.get(w.t, "/v1/tenants/"+r.Metadata.Tenant+"/networks/"+spec.Network)
	cfg.MTU = net.Status.MTU
	for _, a := range r.Status.Addresses {
		addr := netip.MustParseAddr(a)
		for _, s := range net.Status.Subnets {
			if s.CIDR.Contains(addr) {
				cfg.Addresses = append(cfg.Addresses, netip.PrefixFrom(addr, s.CIDR.Bits()))
				cfg.Gateways = append(cfg.Gateways, s.Gateway)
			}
		}
	}
}

func (w *world) move(n *node, host string) {
	w.t.Helper()
	if err := n.MoveTo(w.lab.Host(host)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) replug(n *node) {
	w.t.Helper()
	if err := n.Plug(); err != nil {
		w.t.Fatal(err)
	}
}

// delivered is how many unicast packets were delivered to a node's port.
func (w *world) delivered(n *node) int {
	w.t.Helper()
	// Flows show what the datapath has counted when that was last collected.
	if _, err := n.Host().Appctl("revalidator/wait"); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range w.flows(n.Host().Name) {
		if f.table == 60 && contains(f.text, "dl_dst="+n.mac) && !contains(f.text, "tun_dst") {
			return f.packets
		}
	}
	w.t.Fatalf("no flow delivers to %s", n.id)
	return 0
}

// spoofDrops is how many packets of a node were dropped because they said they came
// from somebody else.
func (w *world) spoofDrops(n *node) int {
	w.t.Helper()
	port := strings.TrimSpace(w.vsctl(n.Host().Name, "get", "interface", n.Port(), "ofport"))
	sum := 0
	for _, f := range w.flows(n.Host().Name) {
		if f.table == 10 && contains(f.text, "in_port="+port) && contains(f.text, "actions=drop") {
			sum += f.packets
		}
	}
	return sum
}

// ping sends up to three pings; one reply is enough.
func (n *node) ping(addr string) error {
	out, err := n.Command("ping", "-c", "1", "-W", "1", addr).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s does not reach %s: %s", n.id, addr, bytes.TrimSpace(out))
	}
	return nil
}

// mustPing is one ping that has to be answered: what is realized works at once.
func (n *node) mustPing(t testing.TB, addr string) {
	t.Helper()
	if err := n.ping(addr); err != nil {
		t.Error(err)
	}
}

func (n *node) mustNotPing(t testing.TB, addr string) {
	t.Helper()
	if n.ping(addr) == nil {
		t.Errorf("%s reaches %s and must not", n.id, addr)
	}
}

func (n *node) mustTCP(t testing.TB, to *node, addr string) {
	t.Helper()
	if err := n.TCP(to.Workload, netip.MustParseAddr(addr), 5*time.Second); err != nil {
		t.Errorf("TCP from %s to %s at %s: %v", n.id, to.id, addr, err)
	}
}

func (n *node) output(args ...string) string {
	out, _ := n.Command(args...).CombinedOutput()
	return string(out)
}

func (n *node) send(t testing.TB, frame []byte) {
	t.Helper()
	if err := n.Send(frame); err != nil {
		t.Fatalf("sending from %s: %v", n.id, err)
	}
}

// ping5ms is a pinger every 5 ms.
type ping5ms struct{ *lab.Pinger }

func (n *node) pinger(t testing.TB, addr string) *ping5ms {
	t.Helper()
	p, err := n.NewPinger(netip.MustParseAddr(addr), 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return &ping5ms{p}
}

func (p *ping5ms) replies() int { return p.Replies() }

// waitFor waits until so many replies have come.
func (p *ping5ms) waitFor(t testing.TB, replies int) {
	t.Helper()
	eventually(t, 60*time.Second, func() error {
		if got := p.Replies(); got < replies {
			return fmt.Errorf("%d of %d replies", got, replies)
		}
		return nil
	})
}

func (p *ping5ms) stop(t testing.TB) (sent, lost int) {
	t.Helper()
	sent, lost, longest := p.Stop()
	t.Logf("%d pings, %d lost, the longest gap between replies %s", sent, lost, longest.Round(time.Millisecond))
	return sent, lost
}
