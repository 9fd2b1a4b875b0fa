package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

type deleteOptions struct {
	*app
	tenant        *string
	files         []string
	ignoreMissing bool
	wait          bool
	timeout       time.Duration
}

func newDeleteCmd(a *app) *cobra.Command {
	o := deleteOptions{app: a}
	c := &cobra.Command{
		Use:   "delete KIND NAME... | delete -f FILE",
		Short: "Delete objects",
		Long: "Deletes objects. What others still refer to is not deleted; the answer names who refers to it.\n" +
			"With -f, all objects of the manifest are deleted, those that refer to others first, and those that are gone already are passed over.",
		Example: "  dovetail delete endpoint acme/web1 acme/web2\n" +
			"  dovetail delete network blue -t acme --wait\n" +
			"  dovetail delete -f examples/two-tenants.yaml",
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.tenant = tenantFlag(c)
	c.ValidArgsFunction = a.completeTarget(o.tenant)
	_ = c.RegisterFlagCompletionFunc("tenant", a.completeTenant)
	f := c.Flags()
	f.StringSliceVarP(&o.files, "filename", "f", nil, "file, folder, or - for standard input; may be repeated")
	f.BoolVar(&o.ignoreMissing, "ignore-not-found", false, "an object that does not exist is no error")
	f.BoolVar(&o.wait, "wait", false, "wait until every switch concerned has acknowledged the removal")
	f.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait, at most 5m")
	return c
}

func (o deleteOptions) run(ctx context.Context, args []string) error {
	keys, err := o.keys(args)
	if err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	w := client.WriteOptions{}
	if o.wait {
		w.Wait = o.timeout
	}
	for _, key := range keys {
		err := c.Delete(ctx, key, w)
		switch {
		case client.IsNotFound(err) && (o.ignoreMissing || o.files != nil):
			fmt.Fprintf(o.out, "%s does not exist\n", key)
		case err != nil:
			return err
		default:
			fmt.Fprintf(o.out, "%s deleted\n", key)
		}
	}
	return nil
}

func (o deleteOptions) keys(args []string) ([]topology.Key, error) {
	if o.files != nil {
		if len(args) > 0 {
			return nil, errors.New("give KIND and NAME, or -f FILE, not both")
		}
		return o.manifestKeys()
	}
	if len(args) < 2 {
		return nil, errors.New("say what to delete: KIND NAME, or -f FILE; for example: dovetail delete endpoint acme/web1")
	}
	var keys []topology.Key
	for _, name := range args[1:] {
		key, err := parseTarget(args[0], name, *o.tenant)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// manifestKeys are the objects of the files, those that refer to others first.
func (o deleteOptions) manifestKeys() ([]topology.Key, error) {
	m, err := readManifests(o.in, o.files)
	if err != nil {
		return nil, err
	}
	var keys []topology.Key
	for _, obj := range m.objects {
		keys = append(keys, obj.Key())
	}
	slices.SortStableFunc(keys, func(a, b topology.Key) int { return b.Kind.Order() - a.Kind.Order() })
	return keys, nil
}
