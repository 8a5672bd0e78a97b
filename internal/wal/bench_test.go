package wal

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

func batch(n int) ([]Save, func()) {
	s := Save{Head: Head{Epoch: 1, View: 1}, Records: make([]Record, n)}
	for i := range s.Records {
		s.Records[i] = Record{Op: uint64(i) + 1, Epoch: 1, View: 1, Data: make([]byte, 128)}
	}
	return []Save{s}, func() {
		for i := range s.Records {
			s.Records[i].Op += uint64(n)
		}
	}
}

// BenchmarkSave measures saves of 1 and of 256 records of 128 bytes.
func BenchmarkSave(b *testing.B) {
	for name, fs := range map[string]vfs.FS{"mem": vfs.NewMem(), "os": vfs.OS()} {
		for _, n := range []int{1, 256} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				l, err := Open(fs, filepath.ToSlash(b.TempDir()), Options{})
				require.NoError(b, err)
				defer l.Close()
				saves, next := batch(n)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := l.Save(saves); err != nil {
						b.Fatal(err)
					}
					if next(); i%10_000 == 9_999 {
						op := saves[0].Records[0].Op - 1
						if _, err := l.Compact(op, op, 0); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
			})
		}
	}
}

// BenchmarkOpen recovers a log of 100,000 records in batches of 10.
func BenchmarkOpen(b *testing.B) {
	fs := vfs.NewMem()
	l, err := Open(fs, dir, Options{})
	require.NoError(b, err)
	saves, next := batch(10)
	for range 10_000 {
		require.NoError(b, l.Save(saves))
		next()
	}
	require.NoError(b, l.Close())
	for b.Loop() {
		l, err := Open(fs, dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

// A save allocates nothing per record: buffers are reused, and only the index grows.
func TestSaveAllocatesNothingPerRecord(t *testing.T) {
	l, err := Open(vfs.NewMem(), dir, Options{})
	require.NoError(t, err)
	saves, next := batch(256)
	allocated := testing.AllocsPerRun(200, func() {
		require.NoError(t, l.Save(saves))
		next()
	})
	require.Less(t, allocated, 10.0)
	require.NoError(t, l.Close())
}
