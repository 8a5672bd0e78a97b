package tcp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Config is smr.TCPConfig, which documents the fields.
type Config struct {
	Listen    string
	TLS       *tls.Config
	AnyClient bool
	Queue     int64
	Timeout   time.Duration
}

// DefaultQueue is the default of Config.Queue.
const DefaultQueue = 64 << 20

// complete replaces zero fields by their defaults. It returns an error if the configuration is invalid.
func (c *Config) complete() error {
	switch {
	case c.Listen == "":
		return errors.New(`smr: TCPConfig.Listen is empty: give "host:port"`)
	case c.Queue < 0:
		return fmt.Errorf("smr: TCPConfig.Queue is %d: it must not be negative", c.Queue)
	case c.Timeout < 0:
		return fmt.Errorf("smr: TCPConfig.Timeout is %v: it must not be negative", c.Timeout)
	}
	if c.Queue == 0 {
		c.Queue = DefaultQueue
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	return c.completeTLS()
}

// keepAlive returns the keep-alive probes by which an idle connection notices that the other machine is
// gone.
func (c *Config) keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: c.Timeout, Interval: c.Timeout, Count: 3}
}
