package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/dovetail-sdn/dovetail/bgp"
	"github.com/dovetail-sdn/dovetail/controller"
	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/rest"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// controllerOptions is what the controller command was told, checked and ready
// to be used.
type controllerOptions struct {
	RESTListen     string
	OVSDBListen    string
	OpenFlowListen string
	// Advertise is the address that hosts use for OpenFlow; empty means the one at
	// which their OVSDB session reached us.
	Advertise     string
	DataDir       string
	EtcdEndpoints []string      // of an existing cluster; empty means embedded
	EtcdTLS       *tls.Config   // nil means plain
	SouthTLS      *tls.Config   // of OVSDB and OpenFlow; nil means plain TCP
	RESTTLS       *tls.Config   // nil means plain HTTP
	AuditInterval time.Duration // 0 means the default
	Log           zerolog.Logger
	Version       string
}

// startTime bounds how long the store may take to answer at start.
const startTime = 30 * time.Second

// runController assembles the controller and runs it until ctx ends.
func runController(ctx context.Context, o controllerOptions) error {
	listeners, err := o.listenAll()
	if err != nil {
		return err
	}
	defer listeners.close()
	if addr := listeners.rest.Addr(); o.RESTTLS == nil && !loopback(addr) {
		o.Log.Warn().Stringer("rest", addr).Msg("the REST API listens on the network without TLS, and asks nobody who he is: whoever reaches it can change everything; " +
			"use --rest-listen 127.0.0.1:8181, or --rest-tls-cert, --rest-tls-key and --rest-tls-ca")
	}
	st, closeStore, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer closeStore()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ctl := controller.New(controller.Config{
		Intent: st, Log: o.Log.With().Str("part", "controller").Logger(), Metrics: registry,
		OpenFlowTarget: o.openFlowTarget(listeners.openflow.Addr()),
		NewSpeaker:     func(log zerolog.Logger) controller.Speaker { return bgp.New(log) },
	})
	switches := ofctrl.NewServer(ofctrl.Config{
		Handler: ctl, Log: o.Log.With().Str("part", "ofctrl").Logger(), Metrics: registry,
		// Time only goes forward, so a controller that was started later fences one
		// that was started before it.
		GenerationID: uint64(time.Now().UnixNano()), AuditInterval: o.AuditInterval,
	})
	hosts := ovsdb.NewServer(ovsdb.Config{Handler: ctl, Log: o.Log.With().Str("part", "ovsdb").Logger(), TLS: dialTLS(o.SouthTLS)})
	handler, err := rest.New(rest.Config{
		Intent: st, Realization: ctl, Log: o.Log.With().Str("part", "rest").Logger(), Metrics: registry, Register: registry, Version: o.Version,
	})
	if err != nil {
		return fmt.Errorf("assembling the API: %w", err)
	}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return ctl.Run(ctx, switches, hosts) })
	g.Go(func() error { return rest.Serve(ctx, listeners.rest, handler, o.RESTTLS) })
	g.Go(func() error {
		select {
		case <-ctl.Loaded(): // before, switches would be compared with half a plan
		case <-ctx.Done():
			return nil
		}
		o.Log.Info().Stringer("rest", listeners.rest.Addr()).Stringer("ovsdb", listeners.ovsdb.Addr()).
			Stringer("openflow", listeners.openflow.Addr()).Msg("ready for hosts")
		g.Go(func() error { return switches.Serve(ctx, listeners.openflow) })
		g.Go(func() error { return hosts.Serve(ctx, listeners.ovsdb) })
		g.Go(func() error { return dialHosts(ctx, st, hosts, o.Log) })
		return nil
	})
	return g.Wait()
}

// openFlowTarget says which OpenFlow address a host is told.
func (o controllerOptions) openFlowTarget(listen net.Addr) func(net.Addr) string {
	scheme := "tcp"
	if o.SouthTLS != nil {
		scheme = "ssl"
	}
	_, port, _ := net.SplitHostPort(listen.String())
	return func(local net.Addr) string {
		host := o.Advertise
		if tcp, ok := local.(*net.TCPAddr); ok && host == "" {
			host = tcp.IP.String()
		}
		if host == "" {
			host = "127.0.0.1" // a host that was dialled over a Unix socket
		}
		return scheme + ":" + net.JoinHostPort(host, port)
	}
}

// sockets are those of a controller.
type sockets struct{ rest, ovsdb, openflow net.Listener }

// listenAll takes all ports before anything else is started, so that a port in use
// is told at once.
func (o controllerOptions) listenAll() (l sockets, err error) {
	listen := func(what, flag, addr string, cfg *tls.Config) net.Listener {
		if err != nil {
			return nil
		}
		var ln net.Listener
		if ln, err = net.Listen("tcp", addr); err != nil {
			err = fmt.Errorf("%s cannot listen at %s: %w; choose another with --%s", what, addr, rootCause(err), flag)
			return nil
		}
		if cfg != nil {
			ln = tls.NewListener(ln, cfg)
		}
		return ln
	}
	l.rest = listen("the REST API", "rest-listen", o.RESTListen, nil) // Serve adds TLS
	l.ovsdb = listen("OVSDB", "ovsdb-listen", o.OVSDBListen, o.SouthTLS)
	l.openflow = listen("OpenFlow", "openflow-listen", o.OpenFlowListen, o.SouthTLS)
	if err != nil {
		l.close()
	}
	return l, err
}

func (l sockets) close() {
	for _, ln := range []net.Listener{l.rest, l.ovsdb, l.openflow} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// loopback says whether only this machine reaches an address.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// rootCause leaves out what an error of package net says about its operation.
func rootCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// openStore opens the intent, in an existing cluster or in this process.
func openStore(ctx context.Context, o controllerOptions) (*store.Store, func(), error) {
	start, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	log := o.Log.With().Str("part", "store").Logger()
	if len(o.EtcdEndpoints) > 0 {
		cli, err := store.Dial(start, clientv3.Config{Endpoints: o.EtcdEndpoints, TLS: o.EtcdTLS})
		if err != nil {
			return nil, nil, fmt.Errorf("etcd at %v: %w", o.EtcdEndpoints, err)
		}
		st, err := store.Open(start, cli, log)
		if err != nil {
			return nil, nil, errors.Join(err, cli.Close())
		}
		return st, func() { st.Close(); _ = cli.Close() }, nil
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("the data folder: %w: choose another with --data-dir", err)
	}
	embedded, err := store.OpenEmbedded(start, store.EmbedConfig{Dir: filepath.Clean(o.DataDir), Log: log})
	if err != nil {
		return nil, nil, err
	}
	st, err := store.Open(start, embedded.Client(), log)
	if err != nil {
		embedded.Close()
		return nil, nil, err
	}
	return st, func() { st.Close(); embedded.Close() }, nil
}
