package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/smr-go/smr"
)

// listenTCP listens on the address at which the other replicas reach this one.
func listenTCP(o options) (*smr.TCP, error) {
	config, err := loadTLS(o)
	if err != nil {
		return nil, err
	}
	self, _ := o.member()
	addr, name := self.Addr, "-members "+string(o.id)+"="+self.Addr
	if o.listen != "" {
		addr, name = o.listen, "-listen "+o.listen
	}
	transport, err := smr.ListenTCP(smr.TCPConfig{Listen: addr, TLS: config})
	if err != nil {
		return nil, listenFailed(name, err)
	}
	return transport, nil
}

// listenFailed returns an error that names the flag of an address that cannot be used, and the remedy.
func listenFailed(flag string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w; stop what listens there, or give another port", flag, err)
	}
	return fmt.Errorf("%s: %w; give an address of this machine", flag, err)
}
