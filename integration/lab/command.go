package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// tools are the programs that a lab needs, and Debian's packages that have them.
var tools = []struct{ program, pkg string }{
	{"ovs-vswitchd", "openvswitch-switch"}, {"ovsdb-server", "openvswitch-switch"}, {"ovs-vsctl", "openvswitch-switch"},
	{"ovs-ofctl", "openvswitch-switch"}, {"ip", "iproute2"}, {"ethtool", "ethtool"}, {"sysctl", "procps"},
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

// commandTime bounds every program that a lab runs for itself.
const commandTime = time.Minute

// run runs a program; its output is part of the error.
func run(name string, args ...string) error {
	_, err := output(nil, name, args...)
	return err
}

// output runs a program with more environment and returns what it prints.
func output(env []string, name string, args ...string) (string, error) {
	return outputContext(context.Background(), env, name, args...)
}

// outputContext is output, until ctx ends.
func outputContext(ctx context.Context, env []string, name string, args ...string) (string, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		if parent.Err() != nil {
			err = context.Cause(parent)
		} else if ctx.Err() != nil {
			err = fmt.Errorf("no end after %s", commandTime)
		}
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// commandIn is a program in a namespace.
func commandIn(namespace string, args []string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", namespace}, args...)...)
	cmd.Env = os.Environ()
	return cmd
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
