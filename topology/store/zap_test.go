package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
)

// What etcd complains of reaches the log one level lower; what is expected is for
// those who debug.
func TestComplaintsOfEtcd(t *testing.T) {
	var out strings.Builder
	log := zapLogger(zerolog.New(&out).Level(zerolog.InfoLevel))
	unknown := zap.Error(errors.New("cannot detect storage schema version: missing term information"))
	log.Error("failed to update storage version", unknown)
	log.Warn("slow fdatasync")
	if out.Len() > 0 {
		t.Errorf("logged: %s", out.String())
	}
	log.Error("failed to update storage version", zap.Error(errors.New("no space left")))
	if got := out.String(); !strings.Contains(got, `"level":"warn"`) || !strings.Contains(got, "no space left") {
		t.Errorf("logged: %s", got)
	}
	out.Reset()
	zapLogger(zerolog.New(&out).Level(zerolog.DebugLevel)).Error("failed to update storage version", unknown)
	if !strings.Contains(out.String(), `"level":"debug"`) {
		t.Errorf("logged: %s", out.String())
	}
}
