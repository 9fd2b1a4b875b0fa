package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const schemaFile = "/usr/share/openvswitch/vswitch.ovsschema"

// Host is one Open vSwitch host of a lab.
type Host struct {
	Name string
	lab  *Lab
}

func (h *Host) number() int {
	n, _ := strconv.Atoi(strings.TrimPrefix(h.Name, "h"))
	return n
}

// SystemID is what the host calls itself, and the controller calls it.
func (h *Host) SystemID() string { return h.lab.state.Prefix + h.Name }

// Namespace is the host's network namespace.
func (h *Host) Namespace() string { return h.lab.namespace(h.Name) }

// VTEP is the host's tunnel address.
func (h *Host) VTEP() netip.Addr { return h.lab.address(1 + h.number()) }

func (h *Host) dir() string { return filepath.Join(h.lab.dir(), h.Name) }

func (h *Host) file(name string) string { return filepath.Join(h.dir(), name) }

func (h *Host) env() []string {
	d := h.dir()
	return []string{"OVS_RUNDIR=" + d, "OVS_LOGDIR=" + d, "OVS_DBDIR=" + d, "OVS_SYSCONFDIR=" + d}
}

// up starts the host as its operator would: Open vSwitch, a bridge with the
// VTEP's address on its way to the underlay, and the ids and the manager.
func (h *Host) up(manager string) error {
	ns, net, port := h.Namespace(), h.lab.namespace("net"), h.Name
	if err := script(
		"ip netns add "+ns,
		fmt.Sprintf("ip -n %s link set lo up", ns),
		// The VTEP's address is on br-ex. Without arp_ignore the kernel answers for it
		// on ul0 too, with ul0's MAC, and tunnels to the host lose all packets.
		fmt.Sprintf("ip netns exec %s sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1", ns),
		fmt.Sprintf("ip link add ul0 netns %s mtu %d type veth peer name %s netns %s mtu %d", ns, underlayMTU, port, net, underlayMTU),
		fmt.Sprintf("ip -n %s link set %s master ubr up", net, port),
		fmt.Sprintf("ip -n %s link set ul0 up", ns),
		fmt.Sprintf("ip netns exec %s ethtool -K ul0 tx off >/dev/null", ns),
		fmt.Sprintf("ip netns exec %s ethtool -K %s tx off >/dev/null", net, port),
	); err != nil {
		return err
	}
	if err := h.start("external_ids:system-id="+h.SystemID(), "external_ids:hostname="+h.SystemID(),
		"external_ids:dovetail-encap-ip="+h.VTEP().String(), "external_ids:dovetail-datapath-type=netdev"); err != nil {
		return err
	}
	if _, err := h.Vsctl("add-br", "br-ex", "--", "set", "bridge", "br-ex", "datapath_type=netdev", "fail_mode=standalone",
		"--", "add-port", "br-ex", "ul0"); err != nil {
		return err
	}
	if err := h.addressVTEP(); err != nil {
		return err
	}
	_, err := h.Vsctl("set-manager", manager)
	return err
}

// start starts Open vSwitch in the host's namespace, with a new database that has
// the settings in its Open_vSwitch row.
func (h *Host) start(settings ...string) error {
	if err := os.MkdirAll(h.dir(), 0o700); err != nil {
		return err
	}
	if err := run("ovsdb-tool", "create", h.file("conf.db"), schemaFile); err != nil {
		return err
	}
	if err := h.StartOVSDB(); err != nil {
		return err
	}
	version, err := switchVersion()
	if err != nil {
		return err
	}
	args := append([]string{"--no-wait", "init", "--", "set", "Open_vSwitch", ".",
		"ovs_version=" + version, // as ovs-ctl sets it
		"other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1"}, settings...)
	if _, err := h.Vsctl(args...); err != nil {
		return err
	}
	return h.StartSwitch()
}

// switchVersion is that of Open vSwitch on this machine.
func switchVersion() (string, error) {
	out, err := output(nil, "ovs-vswitchd", "--version")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(out, "\n")
	fields := strings.Fields(line) // ovs-vswitchd (Open vSwitch) 3.1.0
	if len(fields) == 0 {
		return "", errors.New("ovs-vswitchd does not say its version")
	}
	return fields[len(fields)-1], nil
}

// addressVTEP puts the VTEP's address on the bridge to the underlay, which is where
// a userspace datapath looks for it.
func (h *Host) addressVTEP() error {
	return script(
		fmt.Sprintf("ip -n %s addr replace %s/%d dev br-ex", h.Namespace(), h.VTEP(), h.lab.prefixLen()),
		fmt.Sprintf("ip -n %s link set br-ex mtu %d up", h.Namespace(), underlayMTU),
	)
}

// StartOVSDB starts the host's ovsdb-server.
func (h *Host) StartOVSDB() error {
	_, err := output(h.env(), "ip", "netns", "exec", h.Namespace(), "ovsdb-server", h.file("conf.db"),
		"--remote=punix:"+h.file("db.sock"), "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
		"--private-key=db:Open_vSwitch,SSL,private_key", "--certificate=db:Open_vSwitch,SSL,certificate", "--ca-cert=db:Open_vSwitch,SSL,ca_cert",
		"--unixctl="+h.file("ovsdb-server.ctl"), "--pidfile="+h.file("ovsdb-server.pid"), "--log-file="+h.file("ovsdb-server.log"),
		"-vconsole:off", "--no-chdir", "--detach")
	return err
}

// StartSwitch starts the host's ovs-vswitchd.
func (h *Host) StartSwitch() error {
	_, err := output(h.env(), "ip", "netns", "exec", h.Namespace(), "ovs-vswitchd", "unix:"+h.file("db.sock"),
		"--unixctl="+h.file("ovs-vswitchd.ctl"), "--pidfile="+h.file("ovs-vswitchd.pid"), "--log-file="+h.file("ovs-vswitchd.log"),
		"-vconsole:off", "--no-chdir", "--detach")
	return err
}

// RestartSwitch starts ovs-vswitchd after KillSwitch, as its host would: the
// bridge's address is put back, since the device is a new one.
func (h *Host) RestartSwitch() error {
	if err := h.StartSwitch(); err != nil {
		return err
	}
	end := time.Now().Add(10 * time.Second)
	for {
		err := h.addressVTEP()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// KillSwitch ends ovs-vswitchd at once (SIGKILL), and waits for that.
func (h *Host) KillSwitch() error { return h.kill("ovs-vswitchd", syscall.SIGKILL) }

// StopSwitch ends ovs-vswitchd in order (SIGTERM), which takes it seconds.
func (h *Host) StopSwitch() error { return h.kill("ovs-vswitchd", syscall.SIGTERM) }

// KillOVSDB ends ovsdb-server at once, and waits for that.
func (h *Host) KillOVSDB() error { return h.kill("ovsdb-server", syscall.SIGKILL) }

func (h *Host) kill(daemon string, sig syscall.Signal) error {
	pid := h.PID(daemon)
	if pid == 0 {
		return fmt.Errorf("host %s has no running %s", h.Name, daemon)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("ending %s of host %s: %w", daemon, h.Name, err)
	}
	if err := waitGone(pid); err != nil {
		return fmt.Errorf("ending %s of host %s: %w", daemon, h.Name, err)
	}
	// Nobody may have reaped it yet, and then its pid file would say that it runs.
	if err := os.Remove(h.file(daemon + ".pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Missing is what the host should have and has not.
func (h *Host) Missing() []string {
	var missing []string
	if ns := h.Namespace(); !slices.Contains(namespaces(ns), ns) {
		missing = append(missing, "network namespace")
	}
	for _, daemon := range []string{"ovsdb-server", "ovs-vswitchd"} {
		if _, err := stat(h.PID(daemon)); err != nil {
			missing = append(missing, daemon)
		}
	}
	return missing
}

// PID is the process id of ovs-vswitchd or ovsdb-server; 0 if it does not run.
func (h *Host) PID(daemon string) int { return recordedPID(h.file(daemon+".pid"), h.lab.dir()) }

// Vsctl runs ovs-vsctl on the host and returns what it prints.
func (h *Host) Vsctl(args ...string) (string, error) {
	return output(h.env(), "ovs-vsctl", append([]string{"--timeout=30", "--db=unix:" + h.file("db.sock")}, args...)...)
}

// Ofctl runs ovs-ofctl on the host.
func (h *Host) Ofctl(args ...string) (string, error) {
	return output(h.env(), "ovs-ofctl", append([]string{"--timeout=30", "-O", "OpenFlow13", "--no-names"}, args...)...)
}

// Appctl runs ovs-appctl on the host's ovs-vswitchd.
func (h *Host) Appctl(args ...string) (string, error) {
	return output(h.env(), "ovs-appctl", append([]string{"--timeout=30", "-t", h.file("ovs-vswitchd.ctl")}, args...)...)
}

// Command is a program in the host's namespace, with the environment that makes
// ovs-* programs talk to the host's Open vSwitch.
func (h *Host) Command(args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", h.Namespace()}, args...)...)
	cmd.Env = append(os.Environ(), h.env()...)
	return cmd
}

// Tool is one of Open vSwitch's programs, talking to the host.
func (h *Host) Tool(program string, args ...string) *exec.Cmd {
	switch program {
	case "ovs-vsctl":
		args = append([]string{"--db=unix:" + h.file("db.sock")}, args...)
	case "ovs-ofctl":
		// The version that shows flows as they were sent; a later -O wins.
		args = append([]string{"-O", "OpenFlow13"}, args...)
	case "ovs-appctl":
		args = append([]string{"-t", h.file("ovs-vswitchd.ctl")}, args...)
	}
	return h.Command(append([]string{program}, args...)...)
}

// CutUnderlay takes the host's underlay link away, or gives it back.
func (h *Host) CutUnderlay(cut bool) error {
	return setLink(h.lab.namespace("net"), h.Name, cut)
}
