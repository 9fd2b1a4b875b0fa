package store

import (
	"strings"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger hands what etcd has to complain about to our log. etcd's warnings are
// about slow disks and such, and too many for anybody but a person who debugs.
func zapLogger(log zerolog.Logger) *zap.Logger {
	// Fatal errors must not end the process behind everybody's back.
	return zap.New(bridge{log: log.With().Str("component", "etcd").Logger()}, zap.WithFatalHook(zapcore.WriteThenPanic))
}

type bridge struct {
	log    zerolog.Logger
	fields []zapcore.Field
}

var levels = map[zapcore.Level]zerolog.Level{
	zapcore.WarnLevel: zerolog.DebugLevel, zapcore.ErrorLevel: zerolog.WarnLevel,
	zapcore.DPanicLevel: zerolog.ErrorLevel, zapcore.PanicLevel: zerolog.ErrorLevel, zapcore.FatalLevel: zerolog.ErrorLevel,
}

// expected tells etcd's complaint about a new, empty database: it wants to note there
// the version of its form before it has written anything. It tries again.
func expected(message string, fields map[string]any) bool {
	cause, _ := fields["error"].(string)
	return message == "failed to update storage version" && strings.Contains(cause, "missing term information")
}

func (b bridge) Enabled(l zapcore.Level) bool {
	level, ok := levels[l]
	return ok && level >= b.log.GetLevel()
}

func (b bridge) With(fields []zapcore.Field) zapcore.Core {
	b.fields = append(b.fields[:len(b.fields):len(b.fields)], fields...)
	return b
}

func (b bridge) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return ce.AddCore(e, b)
	}
	return ce
}

func (b bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(b.fields[:len(b.fields):len(b.fields)], fields...) {
		f.AddTo(enc)
	}
	level := levels[e.Level]
	if expected(e.Message, enc.Fields) {
		level = zerolog.DebugLevel
	}
	b.log.WithLevel(level).Fields(enc.Fields).Msg(e.Message)
	return nil
}

func (bridge) Sync() error { return nil }
