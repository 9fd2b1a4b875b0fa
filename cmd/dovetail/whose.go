package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/topology"
)

func newWhoseCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "whose COOKIE",
		Short: "Say which object a flow belongs to, by its cookie",
		Long:  "Every flow on a switch has a cookie that says from which object it was made. `ovs-ofctl dump-flows br-int` shows it.",
		Example: "  dovetail whose 0x8f21c3d400000001\n" +
			"  dovetail describe $(dovetail whose 0x8f21c3d400000001)",
		Args: arguments(1, "COOKIE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cookie, err := strconv.ParseUint(args[0], 0, 64)
			if err != nil {
				return fmt.Errorf("%q is not a cookie; write it as ovs-ofctl shows it, like 0x8f21c3d400000001", args[0])
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			keys, err := c.Whose(cmd.Context(), cookie)
			if err != nil {
				return err
			}
			for _, k := range keys {
				if k.Kind == topology.KindPipeline {
					fmt.Fprintln(a.out, "the pipeline itself: every host has this flow; see docs/pipeline.md")
					continue
				}
				fmt.Fprintln(a.out, k)
			}
			return nil
		},
	}
}

func newVersionCmd(a *app) *cobra.Command {
	var clientOnly bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program and of the controller",
		Example: "  dovetail version\n" +
			"  dovetail version --client",
		Args: arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(a.out, "dovetail    %s (%s)\n", version, runtime.Version())
			if clientOnly {
				return nil
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			v, err := c.Version(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "controller  %s (%s), API %s, at %s\n", v.Version, v.Go, v.API, a.server)
			return nil
		},
	}
	c.Flags().BoolVar(&clientOnly, "client", false, "do not ask the controller")
	return c
}
