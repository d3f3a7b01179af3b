package peer

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs hands what Pion has to say to a slog.Logger, at debug whatever
// Pion thinks of it: a candidate that does not answer is no warning to us.
type pionLogs struct{ log *slog.Logger }

// NewLogger is how Pion asks for the log of one of its parts.
func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

// pionLog is the log of one part.
type pionLog struct{ log *slog.Logger }

// levelTrace is below debug: Pion traces every packet.
const levelTrace = slog.LevelDebug - 4

func (l pionLog) print(level slog.Level, severity, msg string) {
	l.log.Log(context.Background(), level, msg, "severity", severity)
}

func (l pionLog) printf(level slog.Level, severity, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.print(level, severity, fmt.Sprintf(format, args...))
	}
}

func (l pionLog) Trace(msg string)               { l.print(levelTrace, "trace", msg) }
func (l pionLog) Tracef(format string, a ...any) { l.printf(levelTrace, "trace", format, a) }
func (l pionLog) Debug(msg string)               { l.print(slog.LevelDebug, "debug", msg) }
func (l pionLog) Debugf(format string, a ...any) { l.printf(slog.LevelDebug, "debug", format, a) }
func (l pionLog) Info(msg string)                { l.print(slog.LevelDebug, "info", msg) }
func (l pionLog) Infof(format string, a ...any)  { l.printf(slog.LevelDebug, "info", format, a) }
func (l pionLog) Warn(msg string)                { l.print(slog.LevelDebug, "warn", msg) }
func (l pionLog) Warnf(format string, a ...any)  { l.printf(slog.LevelDebug, "warn", format, a) }
func (l pionLog) Error(msg string)               { l.print(slog.LevelDebug, "error", msg) }
func (l pionLog) Errorf(format string, a ...any) { l.printf(slog.LevelDebug, "error", format, a) }
