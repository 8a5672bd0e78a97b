package snap

// Extent is where a snapshot's file has its header or a chunk. Tests that damage files aim by it.
type Extent struct{ Off, Size int64 }

// Extents returns where the header and the chunks of a snapshot's file with content b are. There are
// no chunks if b does not begin with a sound header of the file's size.
func Extents(b []byte) (header Extent, chunks []Extent) {
	header = Extent{Size: min(fileHeaderSize, int64(len(b)))}
	l, err := decode(b[:header.Size])
	if err != nil || l.fileSize() != int64(len(b)) {
		return header, nil
	}
	for i := range l.chunks {
		chunks = append(chunks, Extent{l.offset(i), l.length(i)})
	}
	return header, chunks
}
