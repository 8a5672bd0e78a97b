package wal

import (
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The last extent of each op contains the record that the log reads, and the extents of a file do
// not overlap.
func TestExtentsAreWhereThingsAre(t *testing.T) {
	fs, _, after := severalSegments(t, true)
	found := map[uint64][]byte{}
	files := image(t, fs)
	names, err := fs.ReadDir(dir)
	require.NoError(t, err)
	for _, name := range names {
		content, end := []byte(files[name]), int64(0)
		for _, x := range Extents(path.Join(dir, name), content) {
			require.GreaterOrEqual(t, x.Off, end, "%s: %+v", name, x)
			end = x.Off + x.Size
			require.LessOrEqual(t, end, int64(len(content)), "%s: %+v", name, x)
			if x.Part == RecordPart {
				found[x.Stamp.Op] = content[x.Off+recordSize : end]
			}
		}
	}
	l := open(t, fs)
	defer l.Close()
	_, last := l.Bounds()
	require.Equal(t, after.last(), last)
	records, err := l.Read(1, last.Op, 1<<30)
	require.NoError(t, err)
	require.Len(t, records, int(last.Op))
	for _, r := range records {
		assert.Equal(t, string(r.Data), string(found[r.Op]), "op %d", r.Op)
	}
}

// The copies of the head differ in their numbers, and a damaged copy in its checksum. Lengths that
// lead beyond the end of a segment end the list.
func TestExtentsOfDamagedFiles(t *testing.T) {
	fs, _, _ := severalSegments(t, true)
	head := []byte(image(t, fs)[HeadName])
	copies := Extents(HeadName, head)
	require.Len(t, copies, 2)
	assert.True(t, copies[0].Sound && copies[1].Sound)
	assert.NotEqual(t, copies[0].Number, copies[1].Number)
	head[copies[1].Off+30] ^= 1
	copies = Extents(HeadName, head)
	assert.True(t, copies[0].Sound)
	assert.False(t, copies[1].Sound)

	segment := []byte(image(t, fs)[segmentName(1)])
	whole := Extents(segmentName(1), segment)
	for n := range len(segment) {
		assert.LessOrEqual(t, len(Extents(segmentName(1), segment[:n])), len(whole))
	}
	order.PutUint32(segment[whole[1].Off+4:], 1<<31)
	order.PutUint32(segment[whole[2].Off+4:], 1<<31)
	assert.Less(t, len(Extents(segmentName(1), segment)), len(whole))
}
