package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// outsidePrefix tells machines outside from workloads where both can be named.
const outsidePrefix = "outside/"

// machine finds a workload, or a machine outside.
func machine(lb *lab.Lab, name string) (lab.Machine, error) {
	if short, ok := strings.CutPrefix(name, outsidePrefix); ok {
		// A tenant may be called outside.
		if w, err := lb.Workload(name); err == nil {
			return w, nil
		}
		return found(lb.FindOutside(short))
	}
	return found(lb.Workload(name))
}

// found keeps a pointer that is nil from becoming a machine that is none.
func found[M lab.Machine](m M, err error) (lab.Machine, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (l *labApp) outside() *cobra.Command {
	var cfg lab.OutsideConfig
	var addresses []string
	var gateways []string
	c := &cobra.Command{
		Use:   "outside NAME",
		Short: "Make a machine outside, at the switch to which gateway hosts are connected",
		Long: "Makes a network namespace whose eth0 is plugged into the outside switch, as machines and routers outside of the\n" +
			"virtual networks are. Hosts are connected to that switch by \"dovetail lab map\".",
		Example: "  dovetail lab outside client --address 198.51.100.10/24\n" +
			"  dovetail lab outside db --address 203.0.113.10/24 --address 2001:db8::10/64 --vlan 100 --gateway 203.0.113.1\n" +
			"  dovetail lab outside router --address 198.51.100.1/24 --router --underlay\n" +
			"  dovetail lab exec outside/client -- ping -c 3 198.51.100.1",
		Args:              arguments(1, "NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			cfg.Name = strings.TrimPrefix(args[0], outsidePrefix)
			var err error
			if cfg.Addresses, err = parseAll("--address", "address with its prefix length; write it like 198.51.100.10/24", addresses, netip.ParsePrefix); err != nil {
				return err
			}
			routers, err := parseAll("--gateway", "address", gateways, netip.ParseAddr)
			if err != nil {
				return err
			}
			lb, err := lab.Open(l.name)
			if err != nil {
				return err
			}
			o, err := lb.Outside(cfg)
			if err != nil {
				return err
			}
			if err := defaultRoutes(o, routers); err != nil {
				return err
			}
			text := fmt.Sprintf("Machine %s%s is there", outsidePrefix, o.Name)
			if cfg.Underlay {
				text += fmt.Sprintf(", and the controller reaches it at %s", o.ManagementAddress())
			}
			_, err = fmt.Fprintln(l.out, text+".")
			return err
		},
	}
	c.Flags().StringArrayVar(&addresses, "address", nil, "address of the machine with its prefix length, IPv4 or IPv6; can be repeated")
	c.Flags().StringArrayVar(&gateways, "gateway", nil, "router of the machine's default route; can be given for IPv4 and IPv6")
	c.Flags().IntVar(&cfg.VLAN, "vlan", 0, "VLAN of the machine's port, 1 to 4094; 0 is untagged")
	c.Flags().IntVar(&cfg.MTU, "mtu", 0, "MTU of the machine in bytes (default 1500)")
	c.Flags().BoolVar(&cfg.Forward, "router", false, "forward packets")
	c.Flags().BoolVar(&cfg.Underlay, "underlay", false, "connect the machine to the underlay of the hosts, too, where the controller reaches it")
	for _, flag := range []string{"address", "gateway", "vlan", "mtu"} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	return c
}

// parseAll reads the values of a flag, and says what a bad one should have been.
func parseAll[V any](flag, what string, values []string, parse func(string) (V, error)) ([]V, error) {
	var list []V
	for _, s := range values {
		v, err := parse(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no %s", flag, s, what)
		}
		list = append(list, v)
	}
	return list, nil
}

func defaultRoutes(o *lab.Outside, routers []netip.Addr) error {
	for _, r := range routers {
		everywhere := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Is6() {
			everywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if err := o.AddRoute(everywhere, r); err != nil {
			return fmt.Errorf("machine %s%s is there, but has no default route by %s: %w", outsidePrefix, o.Name, r, err)
		}
	}
	return nil
}

func (l *labApp) removeOutside(o *lab.Outside) error {
	if err := o.Remove(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(l.out, "%s%s is removed.\n", outsidePrefix, o.Name)
	return err
}

func (l *labApp) mapBridge() *cobra.Command {
	return &cobra.Command{
		Use:   "map HOST PHYSNET",
		Short: "Connect a host to the outside switch, as a physical network",
		Long: "Makes a bridge br-phys on the host with a cable to the outside switch, and tells the controller by\n" +
			"external_ids:dovetail-bridge-mappings that it is the physical network of that name.",
		Example:           "  dovetail lab map h1 internet",
		Args:              arguments(2, "HOST", "PHYSNET"),
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
			if err := h.MapBridge(args[1]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(l.out, "%s is connected to %s by br-phys.\n", h.SystemID(), args[1])
			return err
		},
	}
}
