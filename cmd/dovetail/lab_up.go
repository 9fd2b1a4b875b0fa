package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

func (l *labApp) up() *cobra.Command {
	var cfg lab.Config
	c := &cobra.Command{
		Use:   "up",
		Short: "Make a lab of hosts that connect to a controller",
		Long: "Makes hosts h1, h2 and so on, and tells them where the controller is. It is no matter whether it runs already.\n" +
			"Hosts of a lab with a name of its own have that name before theirs, as in big-h1, so that one controller can have\n" +
			"the hosts of several labs. The lab's commands take h1, too.",
		Example: "  dovetail lab up --hosts 3\n  dovetail lab up --hosts 20 --name big --controller 192.0.2.1:6640",
		Args:    arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := newProgress(l.err)
			cfg.Name = l.name
			if !cmd.Flags().Changed("host-prefix") && l.name != defaultLab {
				cfg.Prefix = l.name + "-"
			}
			cfg.Progress = func(up, all int) { p.show("%d of %d hosts are up", up, all) }
			lb, err := lab.Up(cmd.Context(), cfg)
			p.end()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(l.out, whatIsUp(lb.Name, hostNames(lb), hostsJoined(lb, time.Second), lb.Manager()))
			return err
		},
	}
	c.Flags().IntVar(&cfg.Hosts, "hosts", 3, "how many hosts")
	c.Flags().IntVar(&cfg.Owner, "owner", 0, "id of a process that the lab goes with: once it has ended, down --left removes the lab")
	c.Flags().StringVar(&cfg.Manager, "controller", "", "OVSDB address of the controller: ADDRESS, ADDRESS:PORT, or :PORT of this machine; before it, tcp: or ssl: (default \":6640\")")
	c.Flags().StringVar(&cfg.Prefix, "host-prefix", "", "what goes before the hosts' names (default: none for the lab \""+defaultLab+"\", \"NAME-\" for others)")
	return c
}

// hostsJoined is how many hosts a controller has provisioned. It gives them some time.
func hostsJoined(lb *lab.Lab, patience time.Duration) int {
	waiting := lb.Hosts()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		waiting = slices.DeleteFunc(waiting, func(h string) bool {
			if time.Since(start) > patience {
				return false
			}
			joined, err := lb.Host(h).Provisioned()
			return joined && err == nil
		})
		if len(waiting) == 0 || time.Since(start) > patience {
			return len(lb.Hosts()) - len(waiting)
		}
	}
}

// whatIsUp says what there is now, and what to do next.
func whatIsUp(name string, hosts []string, joined int, manager string) string {
	count, have, wait := fmt.Sprintf("%d hosts (%s)", len(hosts), hostList(hosts)), "have", "wait"
	if len(hosts) == 1 {
		count, have, wait = "1 host ("+hosts[0]+")", "has", "waits"
	}
	switch joined {
	case len(hosts):
		return fmt.Sprintf("Lab %s is up: %s %s joined the controller at %s; see them with \"dovetail get hosts\"", name, count, have, manager)
	case 0:
		return fmt.Sprintf("Lab %s is up: %s %s for a controller at %s; start one with %q, and see who has joined with \"dovetail get hosts\"", name, count, wait, manager, controllerFor(manager))
	}
	return fmt.Sprintf("Lab %s is up: %d of %s have joined the controller at %s so far; see them with \"dovetail get hosts\"", name, joined, count, manager)
}

// controllerFor is the command that starts a controller at which hosts look.
func controllerFor(manager string) string {
	command := "dovetail controller --data-dir /tmp/dovetail"
	method, at, _ := strings.Cut(manager, ":")
	if _, port, err := net.SplitHostPort(at); err == nil && port != "6640" {
		command += " --ovsdb-listen :" + port
	}
	if method == "ssl" {
		command += " --tls-cert FILE --tls-key FILE --tls-ca FILE"
	}
	return command
}

// hostNames are the names that the controller knows.
func hostNames(lb *lab.Lab) []string {
	names := lb.Hosts()
	for i, h := range names {
		names[i] = lb.Host(h).SystemID()
	}
	return names
}

// hostList is short for large labs.
func hostList(names []string) string {
	if len(names) > 5 {
		return names[0] + " to " + names[len(names)-1]
	}
	return strings.Join(names, ", ")
}
