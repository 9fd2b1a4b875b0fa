package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

type getOptions struct {
	*app
	tenant     *string
	allTenants bool
	selector   string
	network    string
	output     string
	watch      bool
}

func newGetCmd(a *app) *cobra.Command {
	o := getOptions{app: a}
	c := &cobra.Command{
		Use:   "get KIND [NAME]",
		Short: "Show objects: " + strings.Join(kindTitles(), ", "),
		Example: "  dovetail get tenants\n" +
			"  dovetail get endpoints -t acme -o wide\n" +
			"  dovetail get endpoints -A -l app=web,tier!=test\n" +
			"  dovetail get endpoint acme/web1 -o yaml\n" +
			"  dovetail get hosts --watch",
		Args: arguments(1, "KIND", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.tenant = tenantFlag(c)
	c.ValidArgsFunction = a.completeTarget(o.tenant)
	_ = c.RegisterFlagCompletionFunc("tenant", a.completeTenant)
	f := c.Flags()
	f.BoolVarP(&o.allTenants, "all-tenants", "A", false, "those of all tenants")
	f.StringVarP(&o.selector, "selector", "l", "", "only objects with these labels: a=b,c!=d,e,!f")
	f.StringVar(&o.network, "network", "", "only endpoints in, or routers that join, this network")
	f.StringVarP(&o.output, "output", "o", "table", "table, wide, name, json or yaml; json is what the API says, indented")
	f.BoolVarP(&o.watch, "watch", "w", false, "go on, and show objects again when something happens to them")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "wide", "name", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o getOptions) run(ctx context.Context, args []string) error {
	switch o.output {
	case "table", "wide", "name", "json", "yaml":
	default:
		return fmt.Errorf("--output: %q is none of table, wide, name, json, yaml", o.output)
	}
	name := ""
	if len(args) == 2 {
		name = args[1]
	}
	tenant := *o.tenant
	if o.allTenants && name == "" {
		tenant = ""
	}
	key, err := parseTarget(args[0], name, tenant)
	if err != nil {
		return err
	}
	if key.Kind.Scoped() && key.Tenant == "" && !o.allTenants {
		return fmt.Errorf("%s: say whose: -t TENANT, or -A for those of all tenants", args[0])
	}
	if o.watch && (o.output == "json" || o.output == "yaml") {
		return errors.New("--watch shows a table; for programs there is `dovetail events -o json`")
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	if o.output == "json" || o.output == "yaml" {
		return o.printRaw(ctx, c, key)
	}
	if o.watch {
		return o.follow(ctx, c, key)
	}
	objs, err := o.find(ctx, c, key)
	if err != nil {
		return err
	}
	if len(objs) == 0 {
		fmt.Fprintf(o.err, "there are no %s%s\n", key.Kind.Plural(), ofTenant(key))
		return nil
	}
	return o.print(objs, key)
}

func ofTenant(key topology.Key) string {
	if key.Tenant == "" {
		return ""
	}
	return " of tenant " + key.Tenant
}

func (o getOptions) filter() client.ListOptions {
	return client.ListOptions{LabelSelector: o.selector, Network: o.network}
}

func (o getOptions) find(ctx context.Context, c *client.Client, key topology.Key) ([]*object, error) {
	if key.Name == "" {
		return o.list(ctx, c, key, o.filter())
	}
	obj, err := o.fetch(ctx, c, key)
	return []*object{obj}, err
}

func (o getOptions) print(objs []*object, key topology.Key) error {
	if o.output == "name" {
		return o.printNames(objs)
	}
	t := newTable(o.out, key.Kind, o.allTenants, o.output == "wide", time.Now())
	for _, obj := range objs {
		t.row(obj)
	}
	return t.flush()
}

// printNames prints names as other commands take them.
func (o getOptions) printNames(objs []*object) error {
	for _, obj := range objs {
		if _, err := fmt.Fprintln(o.out, obj.qualified()); err != nil {
			return err
		}
	}
	return nil
}

// printRaw prints what the API says. A list of several pages becomes one.
func (o getOptions) printRaw(ctx context.Context, c *client.Client, key topology.Key) error {
	if key.Name != "" {
		obj, err := o.fetch(ctx, c, key)
		if err != nil {
			return err
		}
		return o.printDocument(obj.raw)
	}
	var all struct {
		Kind  string            `json:"kind"`
		Items []json.RawMessage `json:"items"`
	}
	all.Items = []json.RawMessage{}
	err := c.Pages(ctx, key, o.filter(), func(page []byte) error {
		var p struct {
			Kind  string
			Items []json.RawMessage
		}
		if err := json.Unmarshal(page, &p); err != nil {
			return fmt.Errorf("the server's answer is not a list: %w", err)
		}
		all.Kind, all.Items = p.Kind, append(all.Items, p.Items...)
		return nil
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(all); err != nil {
		return err
	}
	return o.printDocument(b.Bytes())
}

func (o getOptions) printDocument(doc []byte) error {
	if o.output == "yaml" {
		y, err := yaml.JSONToYAML(doc)
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		_, err = o.out.Write(y)
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(doc), "", "  "); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := o.out.Write(b.Bytes())
	return err
}

// follow shows all objects, and then each that something happens to.
func (o getOptions) follow(ctx context.Context, c *client.Client, key topology.Key) error {
	began := make(chan struct{}, 1)
	changed := make(chan topology.Event, 64)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(ctx, client.EventOptions{Tenant: key.Tenant, Kind: key.Kind, Name: key.Name, Connected: func() {
			select {
			case began <- struct{}{}:
			default:
			}
		}}, func(ev topology.Event) error {
			select {
			case changed <- ev:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() { cancel(); <-done }()
	for {
		select {
		case <-began: // first listen, then look: nothing falls between
			objs, err := o.find(ctx, c, key)
			if err != nil {
				return err
			}
			if err := o.print(objs, key); err != nil {
				return err
			}
		case ev := <-changed:
			if err := o.again(ctx, c, ev); err != nil {
				return err
			}
		case err := <-done:
			done <- nil
			return quiet(ctx, err)
		case <-ctx.Done():
			return nil
		}
	}
}

func (o getOptions) again(ctx context.Context, c *client.Client, ev topology.Event) error {
	obj, err := o.fetch(ctx, c, ev.Object)
	if client.IsNotFound(err) {
		_, err = fmt.Fprintf(o.out, "%s is deleted\n", ev.Object)
		return err
	}
	if err != nil {
		return quiet(ctx, err)
	}
	return o.print([]*object{obj}, ev.Object)
}

// quiet forgets an error that only says that the user pressed ^C.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
