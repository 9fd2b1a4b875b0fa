package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/topology"
)

func newWaitCmd(a *app) *cobra.Command {
	var tenant *string
	var until string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "wait KIND NAME...",
		Short: "Wait until objects are realized",
		Long:  "Waits until every switch concerned has acknowledged the objects: from then on packets flow. Ends with an error that says which hosts are missing, and why, if it takes too long or an object has failed.",
		Example: "  dovetail wait endpoint acme/web1\n" +
			"  dovetail wait network blue -t acme --for realized --timeout 30s",
		Args: arguments(2, "KIND", "NAME..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if until != "realized" {
				return fmt.Errorf("--for: %q is not known; there is realized", until)
			}
			var keys []topology.Key
			for _, name := range args[1:] {
				key, err := parseTarget(args[0], name, *tenant)
				if err != nil {
					return err
				}
				keys = append(keys, key)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.waitAll(cmd.Context(), c, keys, timeout)
		},
	}
	tenant = tenantFlag(c)
	c.ValidArgsFunction = a.completeTarget(tenant)
	_ = c.RegisterFlagCompletionFunc("tenant", a.completeTenant)
	c.Flags().StringVar(&until, "for", "realized", "what to wait for: realized")
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait")
	return c
}
