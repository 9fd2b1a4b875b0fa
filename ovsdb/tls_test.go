package ovsdb

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

// testPKI is one certificate for both ends, and its own CA, as files and for Go.
type testPKI struct {
	key, cert string
	config    *tls.Config
}

func newPKI(t *testing.T) testPKI {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	p := testPKI{key: filepath.Join(t.TempDir(), "key.pem"), cert: filepath.Join(t.TempDir(), "cert.pem")}
	p.config = &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12,
	}
	for path, b := range map[string][]byte{p.key: keyPEM, p.cert: certPEM} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func tlsHost(t *testing.T, pki testPKI) *ovstest.Host {
	t.Helper()
	h := ovstest.Start(t, "--private-key="+pki.key, "--certificate="+pki.cert, "--ca-cert="+pki.cert)
	h.StartSwitch()
	h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1")
	return h
}

func TestTLSDialIn(t *testing.T) {
	pki := newPKI(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", pki.config)
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder()
	srv := NewServer(Config{Handler: rec, EchoInterval: 200 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	defer func() { cancel(); <-done }()
	h := tlsHost(t, pki)
	h.Vsctl("set-manager", "ssl:"+ln.Addr().String())
	rec.untilCalls(t, 1, "ready h1")

	// Without TLS, and without a certificate.
	plain, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	_, _ = plain.Write([]byte(`{"method":"echo","id":1,"params":[]}`))
	rec.untilCalls(t, 1, "rejected TLS: ")
	// A read that times out, as those before a probe do, must not break the
	// session: it is still there to be told of a port.
	pause, stop := context.WithTimeout(ctx, 3*srv.cfg.EchoInterval)
	<-pause.Done()
	stop()
	h.Vsctl("add-port", "br-int", "vm1", "--", "set", "interface", "vm1", "type=dummy", "external_ids:iface-id=web")
	rec.untilCalls(t, 1, "ports h1 1")
	if rec.count("gone") != 0 {
		t.Error(rec.dump())
	}
}

func TestTLSDial(t *testing.T) {
	pki := newPKI(t)
	h := tlsHost(t, pki)
	host, port := ovstest.FreeAddress(t)
	h.Vsctl("set-manager", fmt.Sprintf("pssl:%d:%s", port, host))
	rec := newRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	target := fmt.Sprintf("ssl:%s:%d", host, port)
	go func() { done <- NewServer(Config{Handler: rec, TLS: pki.config}).Dial(ctx, target) }()
	defer func() { cancel(); <-done }()
	rec.untilCalls(t, 1, "ready h1")
	if err := NewServer(Config{Handler: rec}).Dial(ctx, target); err == nil {
		t.Error("ssl: without a TLS configuration was no error")
	}
}
