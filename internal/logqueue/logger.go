package logqueue

import (
	"io"
	"log"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/queue"
)

// Logger is an hclog.Logger whose methods do not wait until lines are written: they queue them for the logger behind it.
// A line that does not fit into the queue is dropped, and the number of dropped lines is logged when there is room again.
// Loggers that With, Named and ResetNamed return share the queue, and all have the level of the logger behind them.
type Logger struct {
	hclog.Logger // behind this one; answers what needs no line
	*lines
}

// New returns a Logger in front of sink. Its goroutine runs until Stop.
func New(sink hclog.Logger) *Logger {
	q := &lines{queue: queue.New[line](), stop: make(chan struct{}), done: make(chan struct{})}
	go q.run(sink)
	return &Logger{sink, q}
}

// Log implements hclog.Logger.
func (l *Logger) Log(level hclog.Level, text string, args ...any) {
	if l.takes(level) {
		l.add(line{sink: l.Logger, level: level, text: text, args: args})
	}
}

// takes reports whether the logger behind this one may write a line of that level. The sinks of an InterceptLogger may
// write lines below its level.
func (l *Logger) takes(level hclog.Level) bool {
	if _, ok := l.Logger.(hclog.InterceptLogger); ok {
		return true
	}
	switch level {
	case hclog.Trace:
		return l.IsTrace()
	case hclog.Debug:
		return l.IsDebug()
	case hclog.Info:
		return l.IsInfo()
	case hclog.Warn:
		return l.IsWarn()
	case hclog.Error:
		return l.IsError()
	}
	return true
}

// Trace implements hclog.Logger.
func (l *Logger) Trace(text string, args ...any) { l.Log(hclog.Trace, text, args...) }

// Debug implements hclog.Logger.
func (l *Logger) Debug(text string, args ...any) { l.Log(hclog.Debug, text, args...) }

// Info implements hclog.Logger.
func (l *Logger) Info(text string, args ...any) { l.Log(hclog.Info, text, args...) }

// Warn implements hclog.Logger.
func (l *Logger) Warn(text string, args ...any) { l.Log(hclog.Warn, text, args...) }

// Error implements hclog.Logger.
func (l *Logger) Error(text string, args ...any) { l.Log(hclog.Error, text, args...) }

// With implements hclog.Logger.
func (l *Logger) With(args ...any) hclog.Logger {
	args, _ = frozen(args)
	return &Logger{l.Logger.With(args...), l.lines}
}

// Named implements hclog.Logger.
func (l *Logger) Named(name string) hclog.Logger { return &Logger{l.Logger.Named(name), l.lines} }

// ResetNamed implements hclog.Logger.
func (l *Logger) ResetNamed(name string) hclog.Logger {
	return &Logger{l.Logger.ResetNamed(name), l.lines}
}

// StandardLogger implements hclog.Logger.
func (l *Logger) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(o), "", 0)
}

// StandardWriter implements hclog.Logger. hclog's own writer splits the text into lines with levels.
func (l *Logger) StandardWriter(o *hclog.StandardLoggerOptions) io.Writer {
	if o == nil {
		o = &hclog.StandardLoggerOptions{}
	}
	parser := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard})
	parser.RegisterSink(adapter{l})
	return parser.StandardWriter(o)
}

// adapter makes a Logger an hclog.SinkAdapter.
type adapter struct{ *Logger }

// Accept implements hclog.SinkAdapter.
func (a adapter) Accept(_ string, level hclog.Level, text string, args ...any) {
	a.Log(level, text, args...)
}
