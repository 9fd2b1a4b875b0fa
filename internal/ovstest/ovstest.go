// Package ovstest starts a private Open vSwitch, ovsdb-server and ovs-vswitchd,
// for tests. All that it makes is in a temporary folder: no network device, no
// namespace, nothing that root is needed for. The datapath is a dummy one that
// forwards nothing, under every datapath type's name, so that rows, OpenFlow
// tables and ofproto/trace behave as with a real one.
//
// It has nothing of Dovetail in it.
package ovstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	install   = `install it with "apt-get install openvswitch-switch"`
	schema    = "/usr/share/openvswitch/vswitch.ovsschema"
	startTime = 20 * time.Second
)

// Host is a private Open vSwitch. It ends with its test.
type Host struct {
	Dir string // OVS_RUNDIR
	DB  string // "unix:PATH" of the database

	tb       testing.TB
	ovsdb    *daemon
	vswitchd *daemon
}

type daemon struct {
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{}
}

// Start makes a host with an empty database. Its ovsdb-server follows the managers
// that are set in it; more are more arguments for that server.
func Start(tb testing.TB, more ...string) *Host {
	tb.Helper()
	for _, tool := range []string{"ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovsdb-client"} {
		if _, err := exec.LookPath(tool); err != nil {
			tb.Fatalf("%s is missing: %s", tool, install)
		}
	}
	// Not tb.TempDir: with a long test name a socket's path would be too long.
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		tb.Fatal(err)
	}
	h := &Host{Dir: dir, DB: "unix:" + filepath.Join(dir, "db.sock"), tb: tb}
	tb.Cleanup(func() {
		h.StopSwitch()
		h.StopDB()
		_ = os.RemoveAll(dir)
	})
	h.run("ovsdb-tool", "create", filepath.Join(dir, "conf.db"), schema)
	h.StartDB(more...)
	h.Vsctl("init")
	return h
}

// StartDB starts the database's server, as Start does, and waits until it answers.
func (h *Host) StartDB(more ...string) {
	h.tb.Helper()
	args := []string{
		filepath.Join(h.Dir, "conf.db"), "--remote=p" + h.DB, "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
		"--unixctl=" + filepath.Join(h.Dir, "ovsdb.ctl"), "--no-chdir",
	}
	args = append(args, more...)
	h.ovsdb = h.start("ovsdb-server", args...)
	h.waitFor("ovsdb-server", h.ovsdb, func() error { return h.try("ovsdb-client", "list-dbs", h.DB) })
}

// StartSwitch starts ovs-vswitchd and waits until it has configured itself.
func (h *Host) StartSwitch() {
	h.tb.Helper()
	h.vswitchd = h.start("ovs-vswitchd", h.DB, "--enable-dummy=override", "--no-chdir",
		"--unixctl="+filepath.Join(h.Dir, "vswitchd.ctl"))
	h.waitFor("ovs-vswitchd", h.vswitchd, func() error {
		return h.try("ovs-vsctl", "--db="+h.DB, "--timeout=5", "set", "open_vswitch", ".", "external_ids:ovstest=1")
	})
	h.Vsctl("remove", "open_vswitch", ".", "external_ids", "ovstest")
}

// StopSwitch ends ovs-vswitchd, if it runs.
func (h *Host) StopSwitch() { h.vswitchd.stop() }

// StopDB ends ovsdb-server, if it runs.
func (h *Host) StopDB() { h.ovsdb.stop() }

// SignalDB sends ovsdb-server a signal, such as SIGSTOP.
func (h *Host) SignalDB(sig syscall.Signal) {
	h.tb.Helper()
	if err := h.ovsdb.cmd.Process.Signal(sig); err != nil {
		h.tb.Fatalf("signalling ovsdb-server: %v", err)
	}
}

// Vsctl runs ovs-vsctl on the host, without waiting for its switch, and returns
// its output without white space around it.
func (h *Host) Vsctl(args ...string) string {
	h.tb.Helper()
	return h.run("ovs-vsctl", append([]string{"--db=" + h.DB, "--no-wait", "--timeout=10"}, args...)...)
}

// TryVsctl runs ovs-vsctl as Vsctl does, and returns its failure.
func (h *Host) TryVsctl(args ...string) error {
	return h.try("ovs-vsctl", append([]string{"--db=" + h.DB, "--no-wait", "--timeout=10"}, args...)...)
}

// Ofctl runs ovs-ofctl; a bridge's name stands for its management socket.
func (h *Host) Ofctl(args ...string) string {
	h.tb.Helper()
	return h.run("ovs-ofctl", args...)
}

// Dump is the text of all rows but for the columns given as "Table.column".
func (h *Host) Dump(without ...string) string {
	h.tb.Helper()
	dec := json.NewDecoder(strings.NewReader(h.run("ovsdb-client", "--format=json", "dump", h.DB, "Open_vSwitch")))
	var out []string
	for dec.More() {
		var table struct {
			Caption  string
			Headings []string
			Data     [][]json.RawMessage
		}
		if err := dec.Decode(&table); err != nil {
			h.tb.Fatalf("reading the output of ovsdb-client dump: %v", err)
		}
		name := strings.TrimSuffix(table.Caption, " table")
		for _, row := range table.Data {
			line := name
			for i, column := range table.Headings {
				if !slices.Contains(without, name+"."+column) {
					line += fmt.Sprintf(" %s=%s", column, row[i])
				}
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// FreeAddress is a loopback TCP address that nothing listens at now.
func FreeAddress(tb testing.TB) (host string, port int) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	h, p, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	port, err = strconv.Atoi(p)
	if err != nil {
		tb.Fatal(err)
	}
	return h, port
}

func (h *Host) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+h.Dir, "OVS_LOGDIR="+h.Dir, "OVS_DBDIR="+h.Dir, "OVS_SYSCONFDIR="+h.Dir)
	return cmd
}

func (h *Host) run(name string, args ...string) string {
	h.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	out, err := h.command(ctx, name, args...).CombinedOutput()
	if err != nil {
		h.tb.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h *Host) try(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if out, err := h.command(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (h *Host) start(name string, args ...string) *daemon {
	h.tb.Helper()
	d := &daemon{cmd: h.command(context.Background(), name, args...), log: &bytes.Buffer{}, done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		h.tb.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait()
	}()
	return d
}

// stop ends a daemon that was started here, by its pid, and waits for it.
func (d *daemon) stop() {
	if d == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGCONT)
	_ = d.cmd.Process.Kill()
	<-d.done
}

func (h *Host) waitFor(what string, d *daemon, ready func() error) {
	h.tb.Helper()
	deadline := time.Now().Add(startTime)
	err := errors.New("not tried")
	for time.Now().Before(deadline) {
		select {
		case <-d.done:
			h.tb.Fatalf("%s ended: %s", what, d.log)
		default:
		}
		if err = ready(); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond) // there is nothing to wait on
	}
	h.tb.Fatalf("%s does not answer: %v", what, err)
}

// SwitchLog is what ovs-vswitchd has logged so far.
func (h *Host) SwitchLog() string { return h.vswitchd.log.String() }
