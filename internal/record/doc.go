// Package record records the inputs of a replica's core (internal/vsr) and replays them: the same core then takes the
// same steps. A person can look at each step of a replica that ran elsewhere, and a test can try how a changed core
// would have behaved.
//
// The core is a function of its configuration, the contents of its disk, its events, and the answers of its Detector
// and its source of random numbers. A [Writer] records all of these, and a digest of the core's results in each turn.
// [Replay] compares the digests, and so finds the first turn in which another core differs. It needs neither the user's
// Detector nor a seed: it gives the core the recorded answers.
//
// The package does not import the shell, which calls the Writer (shell.Recorder).
package record
