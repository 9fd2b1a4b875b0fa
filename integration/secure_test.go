package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Hosts that speak TLS are provisioned, and their switches too; one with a
// certificate of nobody is refused.
func TestHostsOverTLS(t *testing.T) {
	t.Parallel()
	pki := newPKI(t)
	w := startWith(t, 1, setup{
		flags: []string{"--tls-cert", pki.cert("controller"), "--tls-key", pki.key("controller"), "--tls-ca", pki.ca()},
		host: func(w *world, host string) {
			w.vsctl(host, "set-ssl", pki.key(host), pki.cert(host), pki.ca())
			w.vsctl(host, "set-manager", "ssl:"+net.JoinHostPort(w.lab.Controller.String(), "6640"))
		},
	})
	if got := w.vsctl("h1", "get-controller", "br-int"); !contains(got, "ssl:") {
		t.Errorf("the switch's controller is %q, want one by ssl:", got)
	}
	w.api.apply(t, new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").endpoint("acme", "a", "blue").endpoint("acme", "b", "blue").String())
	a, b := w.attach("acme/a", "h1"), w.attach("acme/b", "h1")
	w.realized("acme/a", "acme/b")
	a.mustPing(t, b.addresses[0])

	stranger := newPKI(t)
	w.vsctl("h1", "set-ssl", stranger.key("h1"), stranger.cert("h1"), pki.ca())
	w.restartOVSDB("h1")
	eventually(t, 20*time.Second, func() error {
		s := w.api.get(t, "/v1/hosts/h1").Status
		for _, session := range s.Connected {
			if session == "ovsdb" {
				return errorf("a host with a certificate of nobody is connected")
			}
		}
		return nil
	})
	a.mustPing(t, b.addresses[0])
}

// A host that listens instead of dialling is dialled.
func TestAHostThatListensIsDialled(t *testing.T) {
	t.Parallel()
	w := startWith(t, 1, setup{host: func(w *world, host string) {
		w.vsctl(host, "set-manager", "ptcp:6640:"+w.vtep(host))
		w.api.must(w.t, "PUT", "/v1/hosts/"+host, "application/json", []byte(`{"spec":{"address":"tcp:`+w.vtep(host)+`:6640"}}`))
	}})
	w.api.apply(t, new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").endpoint("acme", "a", "blue").String())
	a := w.attach("acme/a", "h1")
	w.realized("acme/a")
	_ = a
}

// pki is an authority of a test's own.
type pki struct {
	t    *testing.T
	dir  string
	root *x509.Certificate
	sign *ecdsa.PrivateKey
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{t: t, dir: t.TempDir()}
	p.sign = p.newKey("ca")
	p.root = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	p.issue("ca", p.root, &p.sign.PublicKey)
	return p
}

func (p *pki) ca() string { return filepath.Join(p.dir, "ca.pem") }

func (p *pki) key(name string) string {
	file := filepath.Join(p.dir, name+"-key.pem")
	if _, err := os.Stat(file); err != nil {
		p.make(name)
	}
	return file
}

func (p *pki) cert(name string) string {
	p.key(name)
	return filepath.Join(p.dir, name+".pem")
}

func (p *pki) make(name string) {
	key := p.newKey(name)
	p.issue(name, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, &key.PublicKey)
}

func (p *pki) newKey(name string) *ecdsa.PrivateKey {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(name+"-key.pem", "PRIVATE KEY", der)
	return key
}

func (p *pki) issue(name string, cert *x509.Certificate, pub *ecdsa.PublicKey) {
	p.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, p.root, pub, p.sign)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(name+".pem", "CERTIFICATE", der)
}

func (p *pki) write(name, kind string, der []byte) {
	p.t.Helper()
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
