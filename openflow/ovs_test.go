package openflow

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vswitch is an Open vSwitch of our own with one bridge on a dummy datapath. It
// needs no privileges.
type vswitch struct {
	t   *testing.T
	dir string
}

// startOVS starts Open vSwitch for the length of a test.
func startOVS(t *testing.T) *vswitch {
	t.Helper()
	for _, tool := range []string{"ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("this test needs Open vSwitch (apt-get install openvswitch-switch): %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "of") // t.TempDir would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	v := &vswitch{t: t, dir: dir}
	v.run("ovsdb-tool", "create", v.path("db"), "/usr/share/openvswitch/vswitch.ovsschema")
	v.daemon("ovsdb-server", v.path("db"), "--remote=punix:"+v.path("db.sock"), "--unixctl="+v.path("db.ctl"))
	v.waitFor("db.sock")
	v.vsctl("--no-wait", "init")
	v.daemon("ovs-vswitchd", "unix:"+v.path("db.sock"), "--enable-dummy", "--disable-system", "--unixctl="+v.path("ctl"))
	v.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure",
		"protocols=OpenFlow13", "other_config:datapath-id=00000000000000aa",
		"--", "add-port", "br0", "p1", "--", "set", "interface", "p1", "type=dummy", "ofport_request=1",
		"--", "add-port", "br0", "p2", "--", "set", "interface", "p2", "type=dummy", "ofport_request=2")
	v.waitFor("br0.mgmt")
	return v
}

func (v *vswitch) path(name string) string { return filepath.Join(v.dir, name) }

func (v *vswitch) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	v.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+v.dir, "OVS_DBDIR="+v.dir, "OVS_LOGDIR="+v.dir, "OVS_SYSCONFDIR="+v.dir)
	return cmd
}

// try runs a command that may fail.
func (v *vswitch) try(name string, args ...string) (string, error) {
	out, err := v.command(name, args...).CombinedOutput()
	return string(out), err
}

func (v *vswitch) run(name string, args ...string) string {
	v.t.Helper()
	out, err := v.try(name, args...)
	if err != nil {
		v.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (v *vswitch) vsctl(args ...string) string {
	v.t.Helper()
	return v.run("ovs-vsctl", append([]string{"--timeout=20", "--db=unix:" + v.path("db.sock")}, args...)...)
}

func (v *vswitch) ofctl(args ...string) string {
	v.t.Helper()
	return v.run("ovs-ofctl", append([]string{"-O", "OpenFlow13"}, args...)...)
}

// appctl asks ovs-vswitchd itself.
func (v *vswitch) appctl(args ...string) string {
	v.t.Helper()
	return v.run("ovs-appctl", append([]string{"-t", v.path("ctl")}, args...)...)
}

// daemon runs a server in the foreground and ends it with the test.
func (v *vswitch) daemon(name string, args ...string) {
	v.t.Helper()
	log, err := os.Create(v.path(name + ".out"))
	if err != nil {
		v.t.Fatal(err)
	}
	cmd := exec.Command(name, append(args, "--no-chdir", "--pidfile="+v.path(name+".pid"), "-vconsole:warn")...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+v.dir, "OVS_DBDIR="+v.dir, "OVS_LOGDIR="+v.dir, "OVS_SYSCONFDIR="+v.dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
	})
}

func (v *vswitch) waitFor(name string) {
	v.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(v.path(name)); err == nil {
			return
		}
	}
	v.t.Fatalf("%s did not appear", v.path(name))
}

// dumpFlows is what ovs-ofctl shows of the flow tables.
func (v *vswitch) dumpFlows() []string {
	v.t.Helper()
	var flows []string
	for line := range strings.Lines(v.ofctl("--no-stats", "--no-names", "dump-flows", "br0")) {
		if strings.HasPrefix(line, " ") {
			flows = append(flows, strings.TrimSpace(line))
		}
	}
	return flows
}

// dial opens an OpenFlow connection.
func (v *vswitch) dial() net.Conn {
	v.t.Helper()
	conn, err := net.Dial("unix", v.path("br0.mgmt"))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}
