package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestAFullDatabaseStartsAgain: once the database has reached its quota it takes no
// writes; after a restart it has thrown away old versions, and takes them again.
func TestAFullDatabaseStartsAgain(t *testing.T) {
	ctx := testContext(t)
	cfg := EmbedConfig{Dir: t.TempDir(), Log: zerolog.Nop(), NoSync: true, quota: 4 << 20}
	e, err := OpenEmbedded(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, e.Client(), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for i := 0; err == nil; i++ {
		if i > 1000 {
			t.Fatal("the quota is not reached")
		}
		_, err = e.Client().Put(ctx, "/elsewhere", strings.Repeat(fmt.Sprint(i%10), 100_000))
	}
	if !strings.Contains(err.Error(), "space exceeded") {
		t.Fatal(err)
	}
	e.Close()

	if e, err = OpenEmbedded(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if s, err = Open(ctx, e.Client(), zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := e.Client().Put(ctx, "/elsewhere", "x"); err != nil {
		t.Errorf("a write after the restart: %v", err)
	}
}
