package tcp

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is the option TCP_USER_TIMEOUT of tcp(7), whose value is in milliseconds.
const tcpUserTimeout = 0x12

// tcpNotSentLowAt is the option TCP_NOTSENT_LOWAT of tcp(7).
const tcpNotSentLowAt = 0x19

// mostUnsent is the number of unsent bytes of a connection that the system may hold. Data written later is queued behind
// them.
const mostUnsent = 64 << 10

// giveUpAfter makes the system close a connection on which sent bytes remain unacknowledged, or wait for a receiver
// without room, for the time d, and reports whether it could. It also limits the bytes that are queued in the system.
// Otherwise the system would resend sent bytes for a quarter of an hour, at growing intervals, and after a partition the
// members would not hear from each other until the next attempt.
func giveUpAfter(conn net.Conn, d time.Duration) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, max(1, int(d.Milliseconds())))
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt, mostUnsent) // an old system may not have it
	})
	return err == nil && failed == nil
}
