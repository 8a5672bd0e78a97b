//go:build !linux

package tcp

import (
	"net"
	"time"
)

// giveUpAfter leaves it to the operating system when to give up a connection.
func giveUpAfter(net.Conn, time.Duration) {}
