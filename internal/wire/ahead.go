package wire

import "github.com/smr-go/smr/internal/vsr"

// Transports see only bytes. These functions tell them which messages to send first, and which not at all.

// Ahead reports whether b is a message that goes ahead of bulk that waits to be sent (C1).
func Ahead(b []byte) bool {
	kind, ok := kindOf(b)
	return ok && !kind.Bulk()
}

// Supersedes reports whether the message in later makes the one in earlier superfluous, if both wait to be sent to the
// same member.
func Supersedes(later, earlier []byte) bool {
	kind, ok := kindOf(later)
	before, is := kindOf(earlier)
	return ok && is && kind == before && kind.Supersedes()
}

// kindOf returns the kind of an encoded message. It reports false if b is not a message of this version.
func kindOf(b []byte) (vsr.MessageKind, bool) {
	if len(b) < headerSize+checksumSize || b[0] != version {
		return 0, false
	}
	kind := vsr.MessageKind(b[1])
	return kind, kind > 0 && kind <= vsr.LastKind
}
