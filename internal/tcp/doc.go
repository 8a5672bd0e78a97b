// Package tcp carries messages between the members of a group over TCP, with or without TLS. It does not
// know the protocol: messages and the members' greetings are bytes.
//
//	transport.go  the Transport: opening, sending, closing
//	config.go     the configuration, and its defaults
//	tls.go        checks of the TLS configuration and of the names in certificates
//	peer.go       the sending side to one member: a queue, and the goroutine that empties it
//	dial.go       dialling a member, writing to it, reporting that it is not reached
//	accept.go     the receiving side: accepting connections and receiving from them
//	greet.go      the format of the first bytes of a connection, and their exchange
//	conn.go       one connection, during the greeting and after it
//	frame.go      the format of everything after the first bytes
//	errors.go     refusals, and which errors are ordinary
//	trouble.go    conditions that last, logged when they begin and end
package tcp
