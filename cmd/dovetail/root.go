package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/client"
)

// app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	server   string
	tls      tlsFiles
}

// newRootCmd lists every subcommand. newLabCmd is in lab.go.
func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "dovetail",
		Short: "Virtual networks on Open vSwitch",
		Long: "Dovetail gives containers, virtual machines and servers the same virtual networks on Open vSwitch.\n" +
			"`dovetail controller` runs the controller; the other commands talk to it.",
		Example: "  dovetail controller --data-dir /var/lib/dovetail\n" +
			"  dovetail apply -f examples/two-tenants.yaml\n" +
			"  dovetail get endpoints -A",
		Args:          commandsOnly,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	for _, c := range []*cobra.Command{
		newGetCmd(a), newDescribeCmd(a), newApplyCmd(a), newDeleteCmd(a), newWaitCmd(a), newEventsCmd(a), newWhoseCmd(a), newVersionCmd(a),
	} {
		a.clientFlags(c)
		root.AddCommand(c)
	}
	root.AddCommand(newControllerCmd(), newLabCmd(a))
	return root
}

func (a *app) clientFlags(c *cobra.Command) {
	server := os.Getenv("DOVETAIL_SERVER")
	if server == "" {
		server = "http://127.0.0.1:8181"
	}
	f := c.Flags()
	f.StringVar(&a.server, "server", server, "address of the controller's REST API ($DOVETAIL_SERVER)")
	f.StringVar(&a.tls.ca, "ca", "", "file with the CA that signed the server's certificate (default: those of the system)")
	f.StringVar(&a.tls.cert, "cert", "", "file with the certificate to show to the server")
	f.StringVar(&a.tls.key, "key", "", "file with the certificate's key")
}

func (a *app) client() (*client.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if a.tls != (tlsFiles{}) {
		if err := a.tls.checkClient(""); err != nil {
			return nil, err
		}
		cfg, err := a.tls.client()
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = cfg
	}
	c, err := client.New(a.server, &http.Client{Transport: t})
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	return c, nil
}
