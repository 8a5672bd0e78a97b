// Package conform tests implementations of smr's interfaces other than the state machine, and code
// around replicas:
//
//   - [TestTransport] and [TestDetector] check an implementation of smr.Transport or smr.Detector
//     against its contract: one line in a test.
//   - [Shake] wraps the Transport of a running replica, and loses, repeats, delays and cuts off its
//     messages.
//   - [NewReal] starts a group of real replicas, with their goroutines, for a testing/synctest bubble:
//     time is virtual there, and the race detector sees everything.
//
// State machines are tested by package [github.com/smr-go/smr/smrtest].
package conform
