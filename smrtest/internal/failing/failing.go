// Package failing runs tests that are expected to fail.
package failing

import (
	"fmt"
	"runtime"
	"testing"
)

// recordingTB is a test that can fail without failing the test that runs it.
type recordingTB struct {
	testing.TB
	failure  string // the text of all errors
	failed   bool
	skipped  bool
	cleanups []func()
}

// Test runs a test, with its cleanups, and returns its errors; "" if it passed. The name of the test is TestCounter.
func Test(t *testing.T, body func(t testing.TB)) string {
	t.Helper()
	r := &recordingTB{TB: t}
	r.protect(func() { body(r) })
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.protect(r.cleanups[i])
	}
	return r.failure
}

// protect runs a part of the test in a goroutine, which FailNow ends.
func (r *recordingTB) protect(part func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		part()
	}()
	<-over
}

func (r *recordingTB) Helper()          {}
func (r *recordingTB) Name() string     { return "TestCounter" }
func (r *recordingTB) Failed() bool     { return r.failed }
func (r *recordingTB) Skipped() bool    { return r.skipped }
func (r *recordingTB) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recordingTB) Error(args ...any) {
	r.failed = true
	r.failure += fmt.Sprint(args...)
}

func (r *recordingTB) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

func (r *recordingTB) FailNow() {
	r.failed = true
	runtime.Goexit()
}

func (r *recordingTB) Fatal(args ...any) {
	r.Error(args...)
	r.FailNow()
}

func (r *recordingTB) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func (r *recordingTB) SkipNow() {
	r.skipped = true
	runtime.Goexit()
}
