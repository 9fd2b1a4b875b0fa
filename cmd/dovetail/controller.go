package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// controllerFlags are what becomes controllerOptions once it is checked.
type controllerFlags struct {
	controllerOptions
	south, rest, etcd tlsFiles
	level, format     string
}

func newControllerCmd() *cobra.Command {
	var o controllerFlags
	c := &cobra.Command{
		Use:   "controller",
		Short: "Run the controller",
		Long: "Runs the controller until it gets SIGINT or SIGTERM. Switches keep forwarding while it is away.\n\n" +
			"A host joins with:  ovs-vsctl set-manager tcp:ADDRESS:6640   (ssl: with --tls-cert)",
		Example: "  dovetail controller --data-dir /var/lib/dovetail\n" +
			"  dovetail controller --etcd-endpoints http://192.0.2.1:2379,http://192.0.2.2:2379\n" +
			"  dovetail controller --tls-cert sc-cert.pem --tls-key sc-privkey.pem --tls-ca switchca/cacert.pem",
		Args: arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := o.options(cmd.ErrOrStderr(), cmd.Flags().Changed("data-dir"))
			if err != nil {
				return err
			}
			return runController(cmd.Context(), opts)
		},
	}
	f := c.Flags()
	f.StringVar(&o.RESTListen, "rest-listen", "127.0.0.1:8181", "where the REST API listens; it has no authentication yet, so keep it local or use --rest-tls-ca")
	f.StringVar(&o.OVSDBListen, "ovsdb-listen", ":6640", "where hosts connect (OVSDB)")
	f.StringVar(&o.OpenFlowListen, "openflow-listen", ":6653", "where switches connect (OpenFlow)")
	f.StringVar(&o.Advertise, "advertise", "", "IP address that hosts use for OpenFlow (default: the local address of the host's OVSDB connection)")
	f.StringVar(&o.DataDir, "data-dir", "/var/lib/dovetail", "folder of the embedded etcd")
	f.StringSliceVar(&o.EtcdEndpoints, "etcd-endpoints", nil, "use this etcd cluster instead of the embedded one")
	f.DurationVar(&o.AuditInterval, "audit-interval", 0, "how often each switch is compared with its plan (default: the controller's own choice)")
	o.south.flags(f, "tls-", "OVSDB and OpenFlow", "hosts'")
	o.rest.flags(f, "rest-tls-", "the REST API", "clients'")
	o.etcd.flags(f, "etcd-tls-", "--etcd-endpoints", "the cluster's")
	f.StringVar(&o.level, "log-level", "info", "trace, debug, info, warn or error")
	f.StringVar(&o.format, "log-format", "auto", "text, json, or auto: text on a terminal")
	return c
}

// options checks the flags.
func (o controllerFlags) options(log io.Writer, dataDirGiven bool) (controllerOptions, error) {
	out := o.controllerOptions
	if err := o.check(dataDirGiven); err != nil {
		return out, err
	}
	out.Version = version
	var err error
	if out.Log, err = newLog(log, o.level, o.format); err != nil {
		return out, err
	}
	if out.SouthTLS, err = o.south.server(); err != nil {
		return out, err
	}
	if out.RESTTLS, err = o.rest.server(); err != nil {
		return out, err
	}
	if o.etcd != (tlsFiles{}) {
		out.EtcdTLS, err = o.etcd.client()
	}
	return out, err
}

func (o controllerFlags) check(dataDirGiven bool) error {
	for _, l := range []struct{ flag, addr string }{{"rest-listen", o.RESTListen}, {"ovsdb-listen", o.OVSDBListen}, {"openflow-listen", o.OpenFlowListen}} {
		if err := checkListen(l.addr); err != nil {
			return fmt.Errorf("--%s: %w", l.flag, err)
		}
	}
	if o.Advertise != "" {
		if a, err := netip.ParseAddr(o.Advertise); err != nil || a.IsUnspecified() {
			return fmt.Errorf("--advertise: %q is not an IP address that hosts can connect to; write it like 192.0.2.10", o.Advertise)
		}
	}
	for _, e := range o.EtcdEndpoints {
		if !strings.HasPrefix(e, "http://") && !strings.HasPrefix(e, "https://") {
			return fmt.Errorf("--etcd-endpoints: %q must be like http://192.0.2.1:2379", e)
		}
	}
	switch {
	case len(o.EtcdEndpoints) > 0 && dataDirGiven:
		return errors.New("--data-dir is for the embedded etcd and --etcd-endpoints for another: give one of them")
	case len(o.EtcdEndpoints) == 0 && o.DataDir == "":
		return errors.New("--data-dir: must name a folder")
	case o.AuditInterval < 0:
		return fmt.Errorf("--audit-interval: %s must not be negative", o.AuditInterval)
	}
	if err := o.south.check("tls-"); err != nil {
		return err
	}
	if err := o.rest.check("rest-tls-"); err != nil {
		return err
	}
	return o.etcd.checkClient("etcd-tls-")
}

func checkListen(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err == nil && host != "" && host != "localhost" {
		_, err = netip.ParseAddr(host)
	}
	if err != nil {
		return fmt.Errorf("%q is not an address to listen at; write it like 127.0.0.1:8181 or :8181", addr)
	}
	return nil
}

func newLog(w io.Writer, level, format string) (zerolog.Logger, error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return zerolog.Nop(), fmt.Errorf("--log-level: %q is none of trace, debug, info, warn, error", level)
	}
	switch format {
	case "auto":
		if isTerminal(w) {
			w = zerolog.ConsoleWriter{Out: w}
		}
	case "text":
		w = zerolog.ConsoleWriter{Out: w, NoColor: !isTerminal(w)}
	case "json":
	default:
		return zerolog.Nop(), fmt.Errorf("--log-format: %q is none of text, json, auto", format)
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger(), nil
}

// isTerminal says whether people look at what is written there.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
