package turnsrv

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog lets Pion log through slog. Everything it says comes at debug or
// below: what a person running the server should know we say ourselves, and a
// client can make Pion call almost anything an error.
type pionLog struct{ log *slog.Logger }

var (
	_ logging.LoggerFactory = pionLog{}
	_ logging.LeveledLogger = pionLog{}
)

func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

const levelTrace = slog.LevelDebug - 4

func (p pionLog) put(level slog.Level, format string, args ...any) {
	if p.log.Enabled(context.Background(), level) {
		p.log.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

func (p pionLog) Trace(msg string)                  { p.put(levelTrace, "%s", msg) }
func (p pionLog) Tracef(format string, args ...any) { p.put(levelTrace, format, args...) }
func (p pionLog) Debug(msg string)                  { p.put(levelTrace, "%s", msg) }
func (p pionLog) Debugf(format string, args ...any) { p.put(levelTrace, format, args...) }
func (p pionLog) Info(msg string)                   { p.put(slog.LevelDebug, "%s", msg) }
func (p pionLog) Infof(format string, args ...any)  { p.put(slog.LevelDebug, format, args...) }
func (p pionLog) Warn(msg string)                   { p.put(slog.LevelDebug, "%s", msg) }
func (p pionLog) Warnf(format string, args ...any)  { p.put(slog.LevelDebug, format, args...) }
func (p pionLog) Error(msg string)                  { p.put(slog.LevelDebug, "%s", msg) }
func (p pionLog) Errorf(format string, args ...any) { p.put(slog.LevelDebug, format, args...) }
