// Package smrtest tests what users of smr write themselves. Each interface that smr lets them
// implement has a suite that checks its contract, in one line of a test of their own:
//
//	smrtest.TestStateMachine(t, func() smr.StateMachine { return NewLedger() }, ops)
//	smrtest.TestDetector(t, func() smr.Detector { return NewDetector() })
//	smrtest.TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) { return Listen(t, id) })
//
// The one that every user wants is TestStateMachine. Replicas stay alike only if their state
// machines are deterministic and their snapshots complete; a machine that is not so by a clock,
// a random number, the order of a map or a field forgotten in Restore works for months, until two
// replicas differ. The suite replays operations again and again under conditions that differ as
// those of two replicas do, and names the operation at which the runs part, and the rule broken.
//
// Every check is a subtest, named by its rule. The suites show the presence of mistakes, not their
// absence: TestStateMachine sees what the operations given to it reach. Run them with the race
// detector too.
package smrtest
