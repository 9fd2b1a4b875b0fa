package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// tlsFiles name the files of a TLS configuration.
type tlsFiles struct{ cert, key, ca string }

// flags adds the flags of a TLS configuration for something.
func (f *tlsFiles) flags(set *pflag.FlagSet, prefix, what, whose string) {
	set.StringVar(&f.cert, prefix+"cert", "", "certificate for "+what+"; without it there is no TLS")
	set.StringVar(&f.key, prefix+"key", "", "its key")
	set.StringVar(&f.ca, prefix+"ca", "", "CA that "+whose+" certificates must be signed by")
}

// check says what is missing for a listener; prefix is that of the flags.
func (f tlsFiles) check(prefix string) error {
	switch {
	case (f.cert == "") != (f.key == ""):
		return fmt.Errorf("--%scert and --%skey go together: give both", prefix, prefix)
	case f.ca != "" && f.cert == "":
		return fmt.Errorf("--%sca needs --%scert and --%skey too: without them there is no TLS", prefix, prefix, prefix)
	}
	return nil
}

// checkClient says what is missing for somebody who dials.
func (f tlsFiles) checkClient(prefix string) error {
	if (f.cert == "") != (f.key == "") {
		return fmt.Errorf("--%scert and --%skey go together: give both", prefix, prefix)
	}
	return nil
}

// server makes the configuration of a listener, nil without files. With a CA,
// clients must show a certificate that it signed.
func (f tlsFiles) server() (*tls.Config, error) {
	if f.cert == "" {
		return nil, nil
	}
	cert, err := f.pair()
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		if cfg.ClientCAs, err = readCA(f.ca); err != nil {
			return nil, err
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

// client makes the configuration of somebody who dials.
func (f tlsFiles) client() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.cert != "" {
		cert, err := f.pair()
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	if f.ca != "" {
		var err error
		if cfg.RootCAs, err = readCA(f.ca); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

func (f tlsFiles) pair() (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return cert, fmt.Errorf("the certificate %s with the key %s cannot be used: %w", f.cert, f.key, err)
	}
	return cert, nil
}

func readCA(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the CA cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("the CA file %s has no certificate in PEM form", file)
	}
	return pool, nil
}
