// Package shell performs what the core of a replica (internal/vsr) decides: it encodes and sends messages,
// writes the log, applies operations, takes and receives snapshots, and answers callers. It does so in
// steps, synchronous functions without goroutines, locks and clocks. A [Driver] runs the steps: the
// runtime in goroutines of its own, the simulation as events in virtual time. All decisions are made
// here, once, so that the simulation proves the code that ships.
//
// A [Shell] has four parts. Each is owned by one goroutine of the driver, or is called as if it were:
//
//	part     owns                                        its steps
//	Loop     the core, waiting calls and reads,          Begin, Handle for each input, End: one turn
//	         the snapshots kept for other members
//	Writer   the log's files                             Add; Begin and Perform until nothing waits; Mark
//	Applier  the state machine and its sessions          Add; Step until nothing waits
//	Fetcher  the snapshot that is being received         Add; Step until nothing waits
//
// Parts reach each other through the driver alone: an [Input] reports results to the loop, and the loop gives
// the others work with Driver.Write, Driver.Apply and Driver.Fetch. Work that takes long and needs no owner
// (reading entries and chunks, writing a frozen state) goes to Driver.Background. [Shell.Receive] and
// [Shell.Propose] check messages and proposals, and decide whether they may wait for a turn.
package shell
