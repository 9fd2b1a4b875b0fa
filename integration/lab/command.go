package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tools are the programs that a lab needs, and Debian's packages that have them.
var tools = []struct{ program, pkg string }{
	{"ovs-vswitchd", "openvswitch-switch"}, {"ovsdb-server", "openvswitch-switch"}, {"ovs-vsctl", "openvswitch-switch"},
	{"ovs-ofctl", "openvswitch-switch"}, {"ip", "iproute2"}, {"ethtool", "ethtool"},
}

// Preflight says in one line what a lab lacks on this machine.
func Preflight() error {
	if os.Geteuid() != 0 {
		return errors.New("a lab makes network namespaces: run this as root")
	}
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil {
			return fmt.Errorf("%s is missing: run \"apt-get install %s\"", t.program, t.pkg)
		}
	}
	return nil
}

// run runs a program; its output is part of the error.
func run(name string, args ...string) error {
	_, err := output(nil, name, args...)
	return err
}

// output runs a program with more environment and returns what it prints.
func output(env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// script runs lines of shell that end at the first failure.
func script(lines ...string) error {
	return run("sh", "-e", "-c", strings.Join(lines, "\n"))
}

// namespaces are the named network namespaces with a prefix.
func namespaces(prefix string) []string {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

func linkExists(name string) bool {
	_, err := os.Stat("/sys/class/net/" + name)
	return err == nil
}

// killRecorded ends the processes whose pid files are in a lab's folder. A pid that
// meanwhile is another process's is left alone: the lab's folder is part of the
// command line of all that a lab starts.
func killRecorded(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.pid"))
	for _, f := range files {
		if pid := recordedPID(f, dir); pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			waitGone(pid)
		}
	}
}

// recordedPID reads a pid file; 0 means that no process of the lab has the pid.
func recordedPID(file, dir string) int {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(cmdline, []byte(dir+"/")) {
		return 0
	}
	return pid
}

// waitGone waits until a process that was killed has ended.
func waitGone(pid int) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		if i := bytes.LastIndexByte(stat, ')'); i > 0 && len(stat) > i+2 && stat[i+2] == 'Z' {
			return
		}
	}
}
