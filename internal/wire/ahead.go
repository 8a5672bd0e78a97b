package wire

import "github.com/smr-go/smr/internal/vsr"

// Transports see only bytes. These functions tell them which messages to send first, and which not at all.

// Ahead reports whether b is a message that goes ahead of bulk that waits to be sent (C1). A relayed message does if it
// would without the relay.
func Ahead(b []byte) bool {
	kind, _, ok := kindOf(b)
	return ok && !kind.Bulk()
}

// Supersedes reports whether the message in later makes the one in earlier superfluous, if both wait to be sent to the
// same member.
func Supersedes(later, earlier []byte) bool {
	kind, link, ok := kindOf(later)
	before, other, is := kindOf(earlier)
	return ok && is && kind == before && link == other && kind.Supersedes()
}

// kindOf returns the kind of an encoded message, that of the relayed message if it is a Relay, and the members between
// which a relay passes it, {0, 0} without one. It reports false if b is not a message of this version.
func kindOf(b []byte) (kind vsr.MessageKind, link [2]byte, ok bool) {
	if len(b) < headerSize+checksumSize || b[0] != version {
		return 0, link, false
	}
	if kind = vsr.MessageKind(b[1]); kind == vsr.KindRelay && len(b) >= headerSize+RelayOverhead+checksumSize {
		link, kind = [2]byte(b[headerSize:]), vsr.MessageKind(b[headerSize+RelayOverhead-1])
	}
	return kind, link, kind > 0 && kind <= vsr.LastKind
}
