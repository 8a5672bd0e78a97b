package tcp

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is the option TCP_USER_TIMEOUT of tcp(7), whose value is in milliseconds.
const tcpUserTimeout = 0x12

// giveUpAfter makes the system close a connection on which sent bytes remain unacknowledged for the time d.
// Otherwise the system would resend them for a quarter of an hour, at growing intervals, and after a
// partition the members would not hear from each other until the next attempt.
func giveUpAfter(conn net.Conn, d time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		})
	}
}
