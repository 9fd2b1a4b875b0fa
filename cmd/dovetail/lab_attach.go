package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

func (l *labApp) attach() *cobra.Command {
	var host string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "attach TENANT/ENDPOINT --host HOST",
		Short: "Make a workload for an endpoint on a host, and wait until packets flow",
		Long: "Asks the controller for the endpoint's addresses and MAC, makes a network namespace that has them, and adds its\n" +
			"port to the host's br-int with the endpoint's interface id, as a container runtime does.",
		Example:           "  dovetail lab attach acme/web1 --host h1",
		Args:              arguments(1, "TENANT/ENDPOINT"),
		ValidArgsFunction: l.completeEndpoint,
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant, name, ok := strings.Cut(args[0], "/")
			if !ok || tenant == "" || name == "" {
				return fmt.Errorf("%q is not an endpoint: write TENANT/NAME, like acme/web1", args[0])
			}
			lb, err := lab.Open(l.name)
			if err != nil {
				return err
			}
			h, err := lb.FindHost(host)
			if err != nil {
				return err
			}
			cfg, err := l.describe(cmd.Context(), tenant, name)
			if err != nil {
				return err
			}
			if err := l.provisioned(cmd.Context(), lb, h, wait); err != nil {
				return err
			}
			if _, err := lb.Attach(h, cfg); err != nil {
				return err
			}
			return l.realized(cmd.Context(), tenant, name, h.SystemID(), wait)
		},
	}
	l.clientFlags(c)
	c.Flags().StringVar(&host, "host", "h1", "host of the lab")
	_ = c.RegisterFlagCompletionFunc("host", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return l.completeFirst(labHosts)(c, nil, "")
	})
	c.Flags().DurationVar(&wait, "timeout", 15*time.Second, "how long to wait until packets flow; 0 for not at all")
	return c
}

// provisioned waits until the controller has made the host's bridge.
func (l *labApp) provisioned(ctx context.Context, lb *lab.Lab, h *lab.Host, wait time.Duration) error {
	p := newProgress(l.err)
	defer p.end()
	for start := time.Now(); ; {
		if there, err := h.Provisioned(); there || err != nil {
			return err
		}
		if time.Since(start) >= wait {
			return fmt.Errorf("host %s has no br-int: no controller at %s has made it yet; start one with %q", h.SystemID(), lb.Manager(), controllerFor(lb.Manager()))
		}
		p.show("waiting until the controller has provisioned %s", h.SystemID())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// describe is what a container runtime would ask the controller.
func (l *labApp) describe(ctx context.Context, tenant, name string) (cfg lab.AttachConfig, err error) {
	c, err := l.client()
	if err != nil {
		return cfg, err
	}
	e, err := c.Endpoints(tenant).Get(ctx, name)
	if err != nil {
		return cfg, err
	}
	n, err := c.Networks(tenant).Get(ctx, e.Spec.Network)
	if err != nil {
		return cfg, err
	}
	cfg = lab.AttachConfig{InterfaceID: e.Status.InterfaceID, MAC: e.Status.MAC.String(), MTU: n.Status.MTU}
	for _, a := range e.Status.Addresses {
		for _, s := range n.Status.NetworkAllocation.Subnets {
			if s.CIDR.Contains(a) {
				cfg.Addresses = append(cfg.Addresses, netip.PrefixFrom(a, s.CIDR.Bits()))
				cfg.Gateways = append(cfg.Gateways, s.Gateway)
			}
		}
	}
	return cfg, nil
}

func (l *labApp) realized(ctx context.Context, tenant, name, host string, wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	c, err := l.client()
	if err != nil {
		return err
	}
	if err := c.Endpoints(tenant).Wait(ctx, name, wait); err != nil {
		return fmt.Errorf("%s/%s is attached to %s, but: %w", tenant, name, host, err)
	}
	_, err = fmt.Fprintf(l.out, "%s/%s is on %s, and packets flow.\n", tenant, name, host)
	return err
}

func (l *labApp) detach() *cobra.Command {
	return &cobra.Command{
		Use:               "detach TENANT/ENDPOINT",
		Short:             "Remove a workload, or a machine outside (outside/NAME)",
		Example:           "  dovetail lab detach acme/web1\n  dovetail lab detach outside/client",
		Args:              arguments(1, "TENANT/ENDPOINT"),
		ValidArgsFunction: l.completeFirst(labWorkloads, labOutside),
		RunE: func(_ *cobra.Command, args []string) error {
			lb, err := lab.Open(l.name)
			if err != nil {
				return err
			}
			m, err := machine(lb, args[0])
			if err != nil {
				return err
			}
			w, ok := m.(*lab.Workload)
			if !ok {
				return l.removeOutside(m.(*lab.Outside))
			}
			host := w.Host().SystemID()
			if err := w.Detach(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(l.out, "%s is detached from %s, and its namespace removed.\n", args[0], host)
			return err
		},
	}
}
