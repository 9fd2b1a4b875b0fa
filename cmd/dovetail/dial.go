package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// dialHosts keeps a session with every host that has spec.address, as the
// intent comes and goes.
func dialHosts(ctx context.Context, st *store.Store, hosts *ovsdb.Server, log zerolog.Logger) error {
	w, err := st.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watching hosts: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	type dialling struct {
		address string
		stop    context.CancelFunc
	}
	active := map[string]dialling{}
	for batch := range w.Batches() {
		for _, ev := range batch.Events {
			name, address := dialled(ev)
			if name == "" || active[name].address == address {
				continue
			}
			if d, ok := active[name]; ok {
				d.stop()
				delete(active, name)
			}
			if address == "" {
				continue
			}
			dctx, stop := context.WithCancel(ctx)
			active[name] = dialling{address, stop}
			g.Go(func() error {
				if err := hosts.Dial(dctx, address); err != nil && dctx.Err() == nil {
					log.Error().Err(err).Str("host", name).Str("address", address).Msg("dialling a host")
				}
				return nil
			})
		}
	}
	for _, d := range active {
		d.stop()
	}
	return g.Wait()
}

// dialled is the host that an event is about, and the address that it has now.
func dialled(ev store.Event) (name, address string) {
	if h, ok := ev.After.(*topology.Host); ok {
		return h.Metadata.Name, h.Spec.Address
	}
	if h, ok := ev.Before.(*topology.Host); ok && ev.After == nil {
		return h.Metadata.Name, ""
	}
	return "", ""
}

// dialTLS is the configuration for hosts that are dialled, made from that of the
// listeners: the same certificate, and the authority for the other side.
//
// Certificates that ovs-pki makes name no address, so only the authority is
// checked: who the host is, it says with its system-id, as a host that dials in.
func dialTLS(listen *tls.Config) *tls.Config {
	if listen == nil {
		return nil
	}
	cfg := listen.Clone()
	roots := listen.ClientCAs
	cfg.InsecureSkipVerify = true // VerifyConnection does it
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if roots == nil {
			return errors.New("dialling a host by ssl: needs --tls-ca")
		}
		if len(cs.PeerCertificates) == 0 {
			return errors.New("the host shows no certificate")
		}
		between := x509.NewCertPool()
		for _, c := range cs.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err
	}
	return cfg
}
