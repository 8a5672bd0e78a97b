// Package smrtest tests the state machines of users of smr, in simulated groups that lose messages,
// disks and primaries in virtual time. Package [github.com/smr-go/smr/smrtest/conform] tests their
// transports and detectors.
//
// # Ten minutes with your own machine
//
// Take a state machine that counts:
//
//	type counter struct{ n int }
//
//	func newCounter() *counter { return &counter{} }
//
//	func (c *counter) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
//	func (c *counter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
//	func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }
//
// Is it deterministic, and are its snapshots complete? One line, some milliseconds:
//
//	func TestCounter(t *testing.T) {
//		ops := [][]byte{[]byte("inc"), []byte("inc"), []byte("inc")}
//		smrtest.TestStateMachine(t, func() smr.StateMachine { return newCounter() }, ops)
//	}
//
// A machine that is not, by a clock, a random number, the order of a map or a field forgotten in
// Restore, works for months, until two replicas differ. [TestStateMachine] replays operations again
// and again under conditions that differ as those of two replicas do, and names the operation at
// which the runs part and the rule that is broken.
//
// What does a service on it go through when machines fail? [New] makes a group of replicas in virtual
// time, which a test leads through a story:
//
//	func TestFailover(t *testing.T) {
//		c := smrtest.New(t, 3, newCounter)
//		cl := c.Client()
//		cl.MustPropose([]byte("inc"))
//		old := c.CrashPrimary()             // loses what was not synced
//		got := cl.MustPropose([]byte("inc")) // waits, virtually, for the new primary
//		assert.Equal(t, "2", string(got))
//		c.Restart(old)
//		c.Settle()                          // all have caught up, states equal
//	}
//
// It is the real protocol, log and recovery; only the network, the disks and the clocks are not.
// [Group.Fault] makes any fault that the simulator knows: replicas are paused and cut off, their disks
// filled, slowed and damaged, and their clocks set wrong; [Group.On] does so at a moment, such as right
// after a replica's write is durable. The same test is the same run every time, and it takes
// milliseconds.
//
// And what has nobody thought of? [Explore] lets chance think of it: callers do what a workload says
// while faults of all sorts happen, in many runs on all cores.
//
//	var (
//		inc = smrtest.Command("inc", func(*rand.Rand) []byte { return []byte("inc") })
//		get = smrtest.Query("get", func(*rand.Rand) string { return "" }, func(c *counter, _ string) int { return c.n })
//	)
//
//	func TestCounterUnderFaults(t *testing.T) {
//		smrtest.Explore(t, smrtest.Config[*counter]{New: newCounter, Workload: []smrtest.Operation{inc, get}})
//	}
//
// A run is fixed by its seed, and go test tries the same seeds every time. New ones, for as long as
// there is patience:
//
//	go test -run TestCounterUnderFaults -smrtest.time=10m
//
// With a [github.com/anishathalye/porcupine.Model] in [Config] the answers are held against what the
// machine should do, and not only against its own log; with an Invariant every state is looked at.
//
// # When it fails
//
// A failing run is said on stderr at once, with a file that repeats it. Then, for up to 20 s
// (-smrtest.shrink), it is run again with fewer and fewer faults, callers and replicas, as long as it
// fails in the same way, and what is left is told: the rule that is broken and the operation that
// broke it, the faults that are needed, the last calls, the last state of each replica, a picture of
// the run as a page for a browser, and the command that repeats it. States are shown by the machine's
// String method; without one by the beginning of its snapshot, if that is text. This is how it begins
// for a machine that counts, and forgets in its snapshots who counted last:
//
//	this rule is broken: Restore brings the whole state back
//	op 4, inc "bob": it returned `2, after "ann"`, and on a machine just restored from a snapshot `2, after ""`
//	WriteTo must write, and Restore bring back, whatever state or result depends on; every other field must stay as in a new machine
//
//	after 27.179 s of virtual time in a group of 1, found with seed 67651000
//
//	it needs no fault to happen
//
//	the last calls, and those under way
//	  26.177 s  inc "ann": `1, after ""` at op 3 by caller 1 at a
//	  27.178 s  inc "bob" by caller 1 at a: no answer yet
//
//	the replicas
//	  a  primary      view 0, log to op 4, committed 4, applied 3, snapshot 0
//	     n=1 last="ann"
//
// The schedule is a text file. In testdata/smrtest/ and the test's name it is played by every run of
// the test from then on.
//
// # The faults of a schedule
//
// A line is a fault: when, its name, whom it befalls, how much, for how long. One without "for" lasts
// until the fault that ends it, or until all faults end. Group.Fault makes such a fault at once, by a
// line without its time.
//
//	at 1.2s crash a for 400ms          its process ends, as by SIGKILL, and starts again; n 3: only to crash
//	                                   again at the third change of its disk
//	power-cut a                        likewise as by Group.Crash: what was not synced is lost or torn
//	crash-in a n 5                     one of both, in the middle of the fifth change of its disk from then on
//	stop, start a                      it closes in order, as by Replica.Close; it starts
//	pause, resume a                    its process stands still; it goes on
//	suspend a                          its machine stands still, and its monotonic clock with it
//	slow-turns a by 2ms                each turn of its loop takes up to so long; by 0s: as usual, and so below
//	isolate a                          nobody hears it, and it hears nobody
//	deafen a                           it hears nobody, and is heard
//	join a                             ends both
//	cut a b, mend a b                  b does not hear a; b hears a again
//	split of a,c                       these and the others do not hear each other
//	split-one-way of a,c               the others do not hear these
//	bridge b of a                      split, but b is on both sides
//	ring                               each hears only those that are next to it in the list of members
//	slow-link a b by 20ms              messages from a to b take so much longer
//	lossy-link a b losing 250/1000     a quarter of them is lost
//	clock-jump a by -1h                its wall clock jumps
//	slow-disk a by 30ms                its saves take up to so much longer
//	full-disk a n 512, space a         its disk has 512 bytes left; it has space again
//	fail-sync a n 3                    the third sync from then on fails
//	fail-reads, fail-writes a          all of them fail
//	rot-log a n 7, rot-head, rot-snapshot
//	                                   a bit is flipped: of op 7 in its log, of what it knows of itself, of its
//	                                   latest snapshot
//	lost-in-log a n 7, lost-in-head, lost-in-snapshot
//	                                   a write is not there, though the disk had said that it was
//	misplaced-in-log a n 7, misplaced-in-snapshot
//	                                   another write lies in its place
//	stray-write a                      an earlier write lies behind the log's end too
//	wipe a                             its disk is empty: it stays out of the group
//	foreign-start a b, second-start a  b, or a once more, is started on a's directory by mistake
//	hand-over a b                      a is asked to hand the primary's role to b; or to any
//
// A seed is what chance does in it. "from 2s after b sent DoViewChange 1: cut b a" waits, from 2 s on,
// for the first moment of its kind and happens right after it. The moments: sent and received, with a
// kind of message or any; issued, a save has begun; saved, it is on disk, and nobody knows it yet;
// alone, likewise, and the end of the log is on no other disk; led, it has become primary; changes,
// it has given up its primary; applied.
//
// # What else can be tested
//
// [Fuzz] has Go's fuzzer choose the faults. Package conform has suites for transports and detectors, a
// Transport that makes faults in a running program, and groups of real replicas in a testing/synctest
// bubble.
//
// # What it does not see
//
// A test shows the presence of mistakes. What the operations given do not reach is not tested. A
// Workload cannot use earlier answers: what a caller does next depends on chance alone, so that an
// identifier that Apply chooses, say, must be guessed from few, or be drawn by the caller.
// Snapshots that are written in the order of a map cannot be compared; a Digest, or a sorted snapshot,
// helps. Machines run on one thread here: run TestStateMachine, and groups of conform.NewReal, with the
// race detector too, as a snapshot is written beside Apply. And a replica whose disk is lost stays out of its group:
// smr cannot take one back so far.
package smrtest
