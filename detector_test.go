package smr_test

import (
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/conform"
)

func TestDetectorsKeepTheContract(t *testing.T) {
	for name, make := range map[string]func() smr.Detector{
		"fixed":           func() smr.Detector { return smr.NewFixedDetector(0) },
		"fixed, short":    func() smr.Detector { return smr.NewFixedDetector(10 * time.Millisecond) },
		"adaptive":        func() smr.Detector { return smr.NewAdaptiveDetector(0, 0) },
		"adaptive, short": func() smr.Detector { return smr.NewAdaptiveDetector(time.Millisecond, 20*time.Millisecond) },
		"adaptive, long":  func() smr.Detector { return smr.NewAdaptiveDetector(time.Second, time.Minute) },
		"adaptive, fixed": func() smr.Detector { return smr.NewAdaptiveDetector(time.Second, time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) { conform.TestDetector(t, make) })
	}
}
