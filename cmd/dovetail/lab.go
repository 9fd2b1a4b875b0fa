package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

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
	c.PersistentFlags().StringVar(&l.name, "name", cmp.Or(os.Getenv("DOVETAIL_LAB"), "lab"), "name of the lab; several can be up at once ($DOVETAIL_LAB)")
	_ = c.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names, _ := lab.Names()
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	c.AddCommand(l.up(), l.attach(), l.detach(), l.exec(), l.tool("ofctl", "ovs-ofctl", "dump-flows"), l.tool("vsctl", "ovs-vsctl", "show"),
		l.tool("appctl", "ovs-appctl", "dpctl/dump-flows"), l.list(), l.down())
	return c
}

func (l *labApp) up() *cobra.Command {
	var cfg lab.Config
	c := &cobra.Command{
		Use:     "up",
		Short:   "Make a lab of hosts that connect to a controller",
		Example: "  dovetail lab up --hosts 3\n  dovetail lab up --hosts 20 --name big --controller tcp:192.0.2.1:6640",
		Args:    arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := newProgress(l.err)
			cfg.Name = l.name
			cfg.Progress = func(up, all int) { p.show("%d of %d hosts are up", up, all) }
			lb, err := lab.Up(cmd.Context(), cfg)
			p.end()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(l.out, "Lab %s is up: hosts %s.\nThey look for a controller at %s; see who has joined with: dovetail get hosts\n", lb.Name, hostList(lb.Hosts()), lb.Manager())
			l.warnTwins()
			return err
		},
	}
	c.Flags().IntVar(&cfg.Hosts, "hosts", 3, "how many hosts")
	c.Flags().IntVar(&cfg.Owner, "owner", 0, "id of a process that the lab goes with: once it has ended, down --left removes the lab")
	c.Flags().StringVar(&cfg.Manager, "controller", "", "OVSDB address of the controller: tcp:ADDRESS:PORT, or :PORT of this machine (default \":6640\")")
	return c
}

// warnTwins tells of labs whose hosts have the same names.
func (l *labApp) warnTwins() {
	names, err := lab.Names()
	if err != nil || len(names) < 2 {
		return // this lab alone
	}
	others := slices.DeleteFunc(names, func(n string) bool { return n == l.name })
	fmt.Fprintf(l.err, "note: the hosts of lab %s have the same names (h1, …): one controller takes those of one lab only\n", strings.Join(others, ", "))
}

// hostList is short for large labs.
func hostList(names []string) string {
	if len(names) > 5 {
		return names[0] + " to " + names[len(names)-1]
	}
	return strings.Join(names, ", ")
}

func (l *labApp) exec() *cobra.Command {
	return commandArgs(&cobra.Command{
		Use:   "exec NAME -- COMMAND [ARG ...]",
		Short: "Run a command in a workload (TENANT/ENDPOINT) or on a host (hN)",
		Example: "  dovetail lab exec acme/web1 -- ping -c 3 10.0.0.12\n" +
			"  dovetail lab exec h1 -- ip addr",
		Args: arguments(2, "NAME", "COMMAND..."),
		RunE: func(_ *cobra.Command, args []string) error {
			lb, err := lab.Open(l.name)
			if err != nil {
				return err
			}
			if slices.Contains(lb.Hosts(), args[0]) {
				return l.run(lb.Host(args[0]).Command(args[1:]...))
			}
			w, err := lb.Workload(args[0])
			if err != nil {
				return err
			}
			return l.run(w.Command(args[1:]...))
		},
	})
}

// tool runs one of Open vSwitch's programs against a host of the lab.
func (l *labApp) tool(use, program, example string) *cobra.Command {
	return commandArgs(&cobra.Command{
		Use:     use + " HOST -- ARG ...",
		Short:   "Run " + program + " for a host",
		Example: fmt.Sprintf("  dovetail lab %s h1 -- %s", use, example),
		Args:    arguments(2, "HOST", "ARG..."),
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

func (l *labApp) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show labs, their hosts and workloads",
		Example: "  dovetail lab list",
		Args:    arguments(0),
		RunE: func(*cobra.Command, []string) error {
			names, err := lab.Names()
			if err != nil {
				return err
			}
			if len(names) == 0 {
				fmt.Fprintln(l.err, "there is no lab; make one with: dovetail lab up")
				return nil
			}
			tw := tabwriter.NewWriter(l.out, 0, 0, 3, ' ', 0)
			_, _ = fmt.Fprintln(tw, "LAB\tHOST\tVTEP\tSTATE\tWORKLOADS")
			for _, name := range names {
				lb, err := lab.Open(name)
				if err != nil {
					_, _ = fmt.Fprintf(tw, "%s\t-\t-\tbroken\tleftovers; remove them with: dovetail lab down --name %s\n", name, name)
					continue
				}
				missing := lb.Missing()
				for _, h := range lb.Hosts() {
					state := "running"
					for _, m := range missing {
						if daemon, ok := strings.CutSuffix(m, " of "+h); ok {
							state = "no " + daemon
						}
					}
					var ids []string
					for id, e := range lb.Workloads() {
						if e.Host == h {
							ids = append(ids, id)
						}
					}
					slices.Sort(ids)
					_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", name, h, lb.Host(h).VTEP(), state, cmp.Or(strings.Join(ids, ", "), "-"))
				}
			}
			return tw.Flush()
		},
	}
}

func (l *labApp) down() *cobra.Command {
	var all, left bool
	c := &cobra.Command{
		Use:     "down",
		Short:   "Remove a lab, or what is left of one",
		Example: "  dovetail lab down\n  dovetail lab down --all",
		Args:    arguments(0),
		RunE: func(*cobra.Command, []string) error {
			if os.Geteuid() != 0 {
				return errors.New("a lab is made of network namespaces: run this as root")
			}
			if left && all {
				return errors.New("--all and --left exclude each other")
			}
			if left {
				swept, err := lab.Sweep()
				for _, name := range swept {
					_, _ = fmt.Fprintf(l.out, "Lab %s is removed.\n", name)
				}
				return err
			}
			there, err := lab.Names()
			if err != nil {
				return err
			}
			names := []string{l.name}
			if all {
				names = there
			}
			p := newProgress(l.err)
			for _, name := range names {
				p.show("removing lab %s", name)
				err := lab.Down(name)
				p.end()
				if err != nil {
					return fmt.Errorf("removing lab %s: %w", name, err)
				}
				if slices.Contains(there, name) {
					fmt.Fprintf(l.out, "Lab %s is removed.\n", name)
				} else {
					fmt.Fprintf(l.err, "there is no lab %s\n", name)
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "remove all labs")
	c.Flags().BoolVar(&left, "left", false, "remove labs whose owner was killed, as tests, benchmarks and the demo, and no others")
	return c
}
