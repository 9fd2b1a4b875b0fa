package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"golang.org/x/sync/errgroup"
)

const (
	// ovnLabName is not that of Dovetail's lab, so that both can be up.
	ovnLabName = "benchovn"
	ovnSchemas = "/usr/share/ovn"
)

// ovnWorld is a lab on which OVN runs, with one switch and one router, as world is
// for Dovetail. The daemons end with the lab: their ids are in its folder.
type ovnWorld struct {
	lab *lab.Lab
	// on makes ports and counts flows in the same way as for Dovetail.
	on *world
	// nbctl is the connection to ovn-nbctl's daemon, which has the database at hand,
	// so that neither the start of a process nor the load of a database is measured.
	nbctl   net.Conn
	replies *json.Decoder
}

func (s settings) ovnWorld(ctx context.Context) (w *ovnWorld, err error) {
	if err := ovnPresent(); err != nil {
		return nil, err
	}
	w = &ovnWorld{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	// Nobody dials the hosts: their manager only listens.
	if w.lab, err = lab.Up(ctx, lab.Config{Name: ovnLabName, Hosts: s.hosts, Manager: "ptcp:6640:127.0.0.1", Owner: os.Getpid()}); err != nil {
		return w, err
	}
	w.on = &world{lab: w.lab}
	if err := w.central(); err != nil {
		return w, fmt.Errorf("starting OVN's central part: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(4)
	for _, h := range w.lab.Hosts() {
		g.Go(func() error { return w.agent(w.lab.Host(h)) })
	}
	if err := g.Wait(); err != nil {
		return w, err
	}
	if err := w.untilChassis(ctx, s.hosts); err != nil {
		return w, err
	}
	// The same network as Dovetail's, with the router that is its gateway.
	if _, err := w.nb("lr-add", "core", "--", "ls-add", "blue",
		"--", "lrp-add", "core", "core-blue", "02:ff:00:00:00:01", "10.0.0.1/16",
		"--", "lsp-add", "blue", "blue-core", "--", "lsp-set-type", "blue-core", "router",
		"--", "lsp-set-addresses", "blue-core", "router", "--", "lsp-set-options", "blue-core", "router-port=core-blue"); err != nil {
		return w, err
	}
	return w, w.sync(ctx, time.Minute)
}

func ovnPresent() error {
	for program, pkg := range map[string]string{"ovn-northd": "ovn-central", "ovn-controller": "ovn-host", "ovn-nbctl": "ovn-common"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: run \"apt-get install %s\"", program, pkg)
		}
	}
	return nil
}

func (w *ovnWorld) close() {
	if w.nbctl != nil {
		_ = w.nbctl.Close()
	}
	if w.lab == nil {
		return // Up has failed, and removed what it made
	}
	if err := lab.Down(ovnLabName); err != nil {
		fmt.Fprintln(os.Stderr, "bench: removing OVN's lab:", err)
	}
}

func (w *ovnWorld) file(name string) string { return filepath.Join(w.lab.Folder("ovn"), name) }

func (w *ovnWorld) db(name string) string { return "unix:" + w.file(name+".sock") }

// daemon are the options by which each daemon keeps all its files in a folder.
func daemon(folder, name string) []string {
	at := filepath.Join(folder, name)
	return []string{"--unixctl=" + at + ".ctl", "--pidfile=" + at + ".pid", "--log-file=" + at + ".log", "-vconsole:off", "--no-chdir", "--detach"}
}

// central starts the databases, northd, and the daemon of ovn-nbctl.
func (w *ovnWorld) central() error {
	dir := w.lab.Folder("ovn")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"nb", "sb"} {
		if err := command("ovsdb-tool", "create", w.file(name+".db"), filepath.Join(ovnSchemas, "ovn-"+name+".ovsschema")); err != nil {
			return err
		}
		args := []string{w.file(name + ".db"), "--remote=p" + w.db(name)}
		if name == "sb" {
			args = append(args, "--remote=db:OVN_Southbound,SB_Global,connections")
		}
		if err := command("ovsdb-server", append(args, daemon(dir, name)...)...); err != nil {
			return err
		}
	}
	// A busy agent must not lose its connection to a probe.
	listen := fmt.Sprintf("ptcp:6642:%s", w.lab.Controller)
	if err := command("ovn-nbctl", "--db="+w.db("nb"), "--no-leader-only", "init"); err != nil {
		return err
	}
	if err := command("ovn-sbctl", "--db="+w.db("sb"), "--no-leader-only", "init"); err != nil {
		return err
	}
	if err := command("ovn-sbctl", "--db="+w.db("sb"), "set-connection", listen, "--", "set", "connection", ".", "inactivity_probe=60000"); err != nil {
		return err
	}
	if err := command("ovn-northd", append([]string{"--ovnnb-db=" + w.db("nb"), "--ovnsb-db=" + w.db("sb")}, daemon(dir, "northd")...)...); err != nil {
		return err
	}
	if err := command("ovn-nbctl", append([]string{"--db=" + w.db("nb")}, daemon(dir, "nbctl")...)...); err != nil {
		return err
	}
	var err error
	if w.nbctl, err = net.Dial("unix", w.file("nbctl.ctl")); err != nil {
		return err
	}
	w.replies = json.NewDecoder(w.nbctl)
	return nil
}

// agent makes a host a chassis: its ids, its bridge, and ovn-controller.
func (w *ovnWorld) agent(h *lab.Host) error {
	if _, err := h.Vsctl("set", "Open_vSwitch", ".",
		fmt.Sprintf("external_ids:ovn-remote=\"tcp:%s:6642\"", w.lab.Controller), "external_ids:ovn-remote-probe-interval=60000",
		"external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip="+h.VTEP().String(), "external_ids:ovn-bridge-datapath-type=netdev",
		"--", "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure"); err != nil {
		return err
	}
	dir := w.lab.Folder(h.Name)
	// It has no --unixctl: its socket goes to the folder of OVN's environment.
	args := append([]string{"ovn-controller", "unix:" + filepath.Join(dir, "db.sock")}, daemon(dir, "ovn-controller")[1:]...)
	cmd := h.Command(args...)
	cmd.Env = append(cmd.Env, "OVN_RUNDIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("starting ovn-controller of host %s: %w: %s", h.Name, err, bytes.TrimSpace(out))
	}
	return nil
}

func (w *ovnWorld) untilChassis(ctx context.Context, n int) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.CommandContext(ctx, "ovn-sbctl", "--db="+w.db("sb"), "--bare", "--columns=name", "list", "Chassis").Output()
		if err != nil {
			return fmt.Errorf("listing OVN's hosts: %w", err)
		}
		have := len(strings.Fields(string(out)))
		if have >= n {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d hosts are chassis after a minute: see ovn-controller.log in the hosts' folders", have, n)
		}
	}
}

// nb runs commands as the program ovn-nbctl would, in its daemon, in one transaction,
// and returns what they print.
func (w *ovnWorld) nb(args ...string) (string, error) {
	request := map[string]any{"id": 0, "method": "run", "params": args}
	if err := json.NewEncoder(w.nbctl).Encode(request); err != nil {
		return "", fmt.Errorf("asking ovn-nbctl's daemon: %w", err)
	}
	var reply struct {
		Result string  `json:"result"`
		Error  *string `json:"error"`
	}
	if err := w.replies.Decode(&reply); err != nil {
		return "", fmt.Errorf("reading what ovn-nbctl's daemon says: %w", err)
	}
	if reply.Error != nil {
		return "", fmt.Errorf("ovn-nbctl %s: %s", args[0], strings.TrimSpace(*reply.Error))
	}
	return reply.Result, nil
}

// errLate says that OVN was given up.
var errLate = errors.New("OVN has not taken in what was declared")

// sync waits until every host says that it has all that was asked for. OVN 23.03 can
// leave a busy host's number behind until it is asked anew, so that this asks again.
func (w *ovnWorld) sync(ctx context.Context, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		wait := max(time.Second, min(10*time.Second, time.Until(end)))
		err := exec.CommandContext(ctx, "ovn-nbctl", "--db="+w.db("nb"), fmt.Sprintf("--timeout=%d", int(wait.Seconds())), "--wait=hv", "sync").Run()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: some hosts do not confirm within %s", errLate, limit)
		}
	}
}

// untilUp waits until OVN says that so many endpoints are up, which their hosts say
// when they have their flows, and that all hosts have followed.
func (w *ovnWorld) untilUp(ctx context.Context, n int, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		up, err := w.up()
		if err != nil {
			return err
		}
		if up >= n {
			return w.sync(ctx, time.Until(end))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: %d of %d endpoints are up after %s", errLate, up, n, limit)
		}
	}
}

// up is how many endpoints are up. The router's port has a type, endpoints have none.
func (w *ovnWorld) up() (int, error) {
	out, err := w.nb("--bare", "--columns=name", "find", "Logical_Switch_Port", "up=true", `type=""`)
	return len(strings.Fields(out)), err
}

// declare makes endpoints from number first to number last in one transaction, each
// with its address and with port security, which Dovetail always has.
func (w *ovnWorld) declare(first, last int) error {
	var args []string
	for i := first; i <= last; i++ {
		if len(args) > 0 {
			args = append(args, "--")
		}
		id, both := ovnID(i), ovnMAC(i)+" "+ovnAddr(i).String()
		args = append(args, "lsp-add", "blue", id, "--", "lsp-set-addresses", id, both, "--", "lsp-set-port-security", id, both)
	}
	if len(args) == 0 {
		return nil
	}
	_, err := w.nb(args...)
	return err
}

// ovnID is the interface id of an endpoint, the same as Dovetail's.
func ovnID(i int) string { return fmt.Sprintf("bench/e%d", i) }

// ovnAddr is the address of an endpoint: those below are the router's, and others'.
func ovnAddr(i int) netip.Addr {
	i += 15
	return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
}

func ovnMAC(i int) string { return fmt.Sprintf("02:00:00:00:%02x:%02x", byte(i>>8), byte(i)) }

// attach makes a workload with a namespace for an endpoint of its own number.
func (w *ovnWorld) attach(i int, host string) (*lab.Workload, error) {
	if err := w.declare(i, i); err != nil {
		return nil, err
	}
	return w.lab.Attach(w.lab.Host(host), lab.AttachConfig{
		InterfaceID: ovnID(i), MAC: ovnMAC(i), MTU: 1450, Addresses: []netip.Prefix{netip.PrefixFrom(ovnAddr(i), 16)},
	})
}

// pid is the process id of a daemon by the path of its files; 0 if there is none.
func pid(path string) int {
	data, _ := os.ReadFile(path + ".pid")
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}

// use is what OVN costs: processor time in seconds of its central daemons and of all
// with those of the hosts, and peak resident memory in MiB.
type use struct{ central, all, centralMemory, agentMemory float64 }

func (w *ovnWorld) use() use {
	var u use
	for _, name := range []string{"nb", "sb", "northd", "nbctl"} {
		p := pid(w.file(name))
		u.central += processTime(p)
		u.centralMemory += peakMemory(p)
	}
	u.all = u.central
	for _, h := range w.lab.Hosts() {
		for _, name := range []string{"ovs-vswitchd", "ovsdb-server", "ovn-controller"} {
			u.all += processTime(pid(filepath.Join(w.lab.Folder(h), name)))
		}
		u.agentMemory = max(u.agentMemory, peakMemory(pid(filepath.Join(w.lab.Folder(h), "ovn-controller"))))
	}
	return u
}

// command runs a program; what it says is part of the error.
func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
