package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// defaultLab is the lab of those who do not name one.
const defaultLab = "lab"

// labApp is what the lab's commands share.
type labApp struct {
	*app
	name string
}

// newLabCmd is the lab: hosts on one machine, to try things.
func newLabCmd(a *app) *cobra.Command {
	l := &labApp{app: a}
	c := &cobra.Command{
		Use:   "lab",
		Short: "Open vSwitch hosts on this machine, to try things",
		Long: "Makes hosts with Open vSwitch in network namespaces of this machine, and workloads on them, as a container\n" +
			"runtime would. Nothing of it leaves the machine. It needs root, Open vSwitch, iproute2 and ethtool.",
		Example: "  dovetail controller --data-dir /tmp/dovetail &\n" +
			"  dovetail lab up --hosts 3\n" +
			"  dovetail apply -f examples/two-tenants.yaml\n" +
			"  dovetail lab attach acme/web1 --host h1\n" +
			"  dovetail lab attach acme/web2 --host h2\n" +
			"  dovetail lab exec acme/web1 -- ping -c 3 10.0.0.12\n" +
			"  dovetail lab down",
		Args: commandsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.PersistentFlags().StringVar(&l.name, "name", cmp.Or(os.Getenv("DOVETAIL_LAB"), defaultLab), "name of the lab; several can be up at once ($DOVETAIL_LAB)")
	_ = c.RegisterFlagCompletionFunc("name", completeLab)
	c.AddCommand(l.up(), l.attach(), l.detach(), l.outside(), l.mapBridge(), l.exec(), l.tool("ofctl", "ovs-ofctl", "dump-flows"), l.tool("vsctl", "ovs-vsctl", "show"),
		l.tool("appctl", "ovs-appctl", "dpctl/dump-flows"), l.list(), l.down())
	return c
}

func (l *labApp) exec() *cobra.Command {
	return commandArgs(&cobra.Command{
		Use:   "exec NAME -- COMMAND [ARG ...]",
		Short: "Run a command in a workload (TENANT/ENDPOINT), on a host (hN) or on a machine outside (outside/NAME)",
		Example: "  dovetail lab exec acme/web1 -- ping -c 3 10.0.0.12\n" +
			"  dovetail lab exec h1 -- ip addr\n" +
			"  dovetail lab exec outside/client -- ping -c 3 198.51.100.1",
		Args:              arguments(2, "NAME", "COMMAND..."),
		ValidArgsFunction: l.completeFirst(labHosts, labWorkloads, labOutside),
		RunE: func(_ *cobra.Command, args []string) error {
			lb, err := lab.Open(l.name)
			if err != nil {
				return err
			}
			if !strings.Contains(args[0], "/") {
				h, err := lb.FindHost(args[0])
				if err != nil {
					return err
				}
				return l.run(h.Command(args[1:]...))
			}
			m, err := machine(lb, args[0])
			if err != nil {
				return err
			}
			return l.run(m.Command(args[1:]...))
		},
	})
}

// tool runs one of Open vSwitch's programs against a host of the lab.
func (l *labApp) tool(use, program, example string) *cobra.Command {
	return commandArgs(&cobra.Command{
		Use:               use + " HOST -- ARG ...",
		Short:             "Run " + program + " for a host",
		Example:           fmt.Sprintf("  dovetail lab %s h1 -- %s", use, example),
		Args:              arguments(2, "HOST", "ARG..."),
		ValidArgsFunction: l.completeFirst(labHosts),
		RunE: func(_ *cobra.Command, args []string) error {
			lb, err := lab.Open(l.name)
			if err != nil {
				return err
			}
			h, err := lb.FindHost(args[0])
			if err != nil {
				return err
			}
			rest := args[1:]
			if program == "ovs-ofctl" {
				bridges, err := h.Vsctl("list-br")
				if err != nil {
					return err
				}
				rest = withBridge(rest, strings.Fields(bridges))
			}
			return l.run(h.Tool(program, rest...))
		},
	})
}

// run runs a command for the user; its exit code becomes ours.
func (l *labApp) run(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.in, l.out, l.err
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitCode(128 + int(status.Signal())) // as a shell says it
	}
	return exitCode(exit.ExitCode())
}

// commandArgs explains the one mistake that everybody makes.
func commandArgs(c *cobra.Command) *cobra.Command {
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if !errors.As(err, &unknown) {
			return flagError(c, err)
		}
		return fmt.Errorf("%s is no flag of %q: put -- before the command that is to be run, as in: %s",
			dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()), c.CommandPath(), example(c))
	})
	return c
}

// exitCode is the end of a command that has said itself what is wrong.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("the command ended with exit code %d", int(e)) }
