// Package tcp carries messages between the members of a group over TCP, with or without TLS. It
// knows nothing of the protocol: messages and greetings are bytes.
//
//	transport.go  Transport, its peers and the connections that it must close
//	config.go     what is configured; tls.go: what of TLS is refused, and names in certificates
//	peer.go       the sending side to one member: its queue, and the goroutine that empties it
//	dial.go       dialling, writing, and what is logged when a member is not reached
//	accept.go     the receiving side: whose connections are taken, and for how long
//	greet.go      how a connection begins, and its format
//	conn.go       a connection; frame.go: the format of what goes over it
package tcp
