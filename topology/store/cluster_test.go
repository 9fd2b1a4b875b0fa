package store

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// cluster is an etcd as somebody else would run it: reached over a socket, and
// with etcd's own limits.
func cluster(t *testing.T) *clientv3.Client {
	t.Helper()
	dir := t.TempDir()
	socket := url.URL{Scheme: "unix", Path: filepath.Join(dir, "s")}
	c := etcdConfig(EmbedConfig{Dir: dir, Log: zerolog.Nop(), NoSync: true})
	c.MaxTxnOps, c.MaxRequestBytes = embed.DefaultMaxTxnOps, embed.DefaultMaxRequestBytes
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{socket}, []url.URL{socket}
	e, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	<-e.Server.ReadyNotify()
	cli, err := Dial(testContext(t), clientv3.Config{Endpoints: []string{socket.String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

// With etcd's default limits all works that fits them, and the rest is refused
// with what to do about it.
func TestClusterWithDefaultLimits(t *testing.T) {
	s := open(t, cluster(t))
	apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/16"), &topology.Host{Metadata: topology.Metadata{Name: "h1"}}))
	var many []Change
	for i := range 300 {
		many = append(many, puts(endpoint("acme", fmt.Sprintf("m%d", i), "blue"))...)
	}
	_, err := s.Apply(testContext(t), many)
	oneLine(t, err, "--max-txn-ops")

	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if _, err := s.Apply(testContext(t), puts(endpoint("acme", fmt.Sprintf("e%d", i), "blue"))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var bindings []BindingChange
	for _, o := range s.List(topology.KindEndpoint, "acme") {
		bindings = append(bindings, BindingChange{o.Key(), &topology.Binding{Host: "h1", Port: "p", OFPort: 1}})
	}
	if err := s.Bind(testContext(t), bindings); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Bindings()); n != 300 {
		t.Errorf("%d bindings", n)
	}
	checkInvariants(t, s)
	if err := s.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDialSaysWhoDoesNotAnswer(t *testing.T) {
	ctx, cancel := contextWithShortTimeout(t)
	defer cancel()
	_, err := Dial(ctx, clientv3.Config{Endpoints: []string{"unix:" + filepath.Join(t.TempDir(), "nobody")}})
	oneLine(t, err, "does not answer")
	if err != nil && !strings.Contains(err.Error(), "nobody") {
		t.Errorf("error %v", err)
	}
}
