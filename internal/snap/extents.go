package snap

// Extent is the place of the header or of a chunk in a snapshot's file. Tests use it to damage a
// chosen part.
type Extent struct{ Off, Size int64 }

// Extents returns the places of the header and the chunks in a snapshot's file whose content is b.
// It returns no chunks unless b begins with an intact header and has the size that the header
// implies.
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
