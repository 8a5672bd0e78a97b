package wire

import (
	"testing"

	"github.com/smr-go/smr/internal/vsr"
)

// benchmarked lists messages of the hot path and one other.
var benchmarked = []struct {
	name string
	m    vsr.Message
}{
	{"Prepare1x128", batch(1, 128)},
	{"Prepare256x128", batch(256, 128)},
	{"PrepareOK", samples()[vsr.KindPrepareOK-1]},
	{"Commit", samples()[vsr.KindCommit-1]},
	{"DoViewChange", samples()[vsr.KindDoViewChange-1]},
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			buffer := encode(testHeader, c.m)
			b.SetBytes(int64(len(buffer)))
			b.ReportAllocs()
			for b.Loop() {
				buffer = AppendMessage(buffer[:0], testTag, testHeader, c.m)
			}
		})
	}
}

func BenchmarkDecodeMessage(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			buffer := encode(testHeader, c.m)
			b.SetBytes(int64(len(buffer)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := DecodeMessage(buffer, testTag); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
