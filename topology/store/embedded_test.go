package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	state := func(change func(*Store)) (objects []topology.Object, bindings []topology.Binding, revision int64) {
		e, err := OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		s, err := Open(testContext(t), e.Client(), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		change(s)
		for _, k := range topology.Kinds() {
			objects = append(objects, s.List(k, "")...)
		}
		return objects, s.Bindings(), s.Revision()
	}
	web1 := endpoint("acme", "web1", "blue")
	objects, bindings, rev := state(func(s *Store) {
		apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/24", "fd00::/64"), router("acme", "r", "blue"), web1))
		if _, err := s.RegisterHost(t.Context(), "h1", topology.HostAllocation{Hostname: "one"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Bind(t.Context(), []BindingChange{{web1.Key(), &topology.Binding{Host: "h1", Port: "p", OFPort: 3}}}); err != nil {
			t.Fatal(err)
		}
	})
	objects2, bindings2, rev2 := state(func(*Store) {})
	if diff := cmp.Diff(objects, objects2, cmpOptions...) + cmp.Diff(bindings, bindings2); diff != "" || rev != rev2 {
		t.Errorf("after a restart (revision %d, before %d):\n%s", rev2, rev, diff)
	}
	if len(objects) != 5 || len(bindings) != 1 {
		t.Errorf("%d objects, %d bindings", len(objects), len(bindings))
	}
}

func TestOneProcessPerFolder(t *testing.T) {
	dir := t.TempDir()
	e, err := OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop()})
	oneLine(t, err, "used by another process")
	e.Close()
	e, err = OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
}

func TestNewerDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "schema"), []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop()})
	oneLine(t, err, "another version")

	e := embedded(t)
	if _, err := e.Client().Put(t.Context(), schemaKey, "7"); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), e.Client(), zerolog.Nop())
	oneLine(t, err, "another version")
}

func oneLine(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q, want one line with %q", err, want)
	}
}

func TestBrokenValues(t *testing.T) {
	e := embedded(t)
	s := open(t, e.NewClient())
	apply(t, s, puts(tenant("acme")))
	resp, err := e.Client().Txn(t.Context()).Then(clientv3.OpPut(prefix+"tenant/acme", "{"), clientv3.OpPut(headKey, "")).Commit()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.waitFor(t.Context(), resp.Header.Revision); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(tenant("acme").Key()); err != nil {
		t.Errorf("a broken value took the object away: %v", err)
	}
	if _, err := s.resync(t.Context(), false); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(tenant("acme").Key()); err != nil {
		t.Errorf("after a resync: %v", err)
	}
	_, err = Open(t.Context(), e.Client(), zerolog.Nop())
	oneLine(t, err, "reading Tenant acme from etcd")
}

func TestHealth(t *testing.T) {
	s := newStore(t)
	if err := s.Health(t.Context()); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := s.Health(t.Context()); err == nil {
		t.Error("a closed store is healthy")
	}
}

func TestDamagedDataIsOneLine(t *testing.T) {
	dir := t.TempDir()
	e, err := OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	for _, file := range []string{"etcd/member/snap/db", "etcd/member/wal/0000000000000000-0000000000000000.wal"} {
		whole, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.Repeat("x", len(whole))), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = OpenEmbedded(testContext(t), EmbedConfig{Dir: dir, Log: zerolog.Nop(), NoSync: true})
		oneLine(t, err, dir)
		t.Log(err)
		if err := os.WriteFile(filepath.Join(dir, file), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
