// Package vsr is the protocol of smr as a pure state machine: events in, outputs out. It touches no
// file, socket, goroutine, lock, clock or global randomness. Time is an argument, and the same
// events give the same outputs.
//
// This page explains the protocol. The rules cited in parentheses are in docs/PROTOCOL.md, which
// also has a table of all messages and the argument why committed entries survive.
//
// # The problem
//
// A group of n replicas keeps identical copies of a state machine. It suffices that all apply the
// same operations in the same order: the group agrees on a log, and each replica applies its copy.
// An entry is committed once it can no longer be lost, and only committed entries are applied.
//
// # Views
//
// Time is divided into views, numbered from 0. Each view has one primary, which orders operations;
// the other replicas are its backups. The primary of view v is the member at place v mod n of the
// list, so there is no election: to replace the primary, the group moves to another view (members.go).
//
// An entry is identified by its viewstamp: the epoch, the view in which it was appended, and its
// op, the place in the log. A view has one primary and a primary appends one entry at each op, so
// two entries with one viewstamp are the same entry. Logs are compared by the viewstamp of their
// last entry. Epochs would separate member lists; every group is in epoch 1 so far.
//
// Two quorums overlap, Qr + Qv > n. Qr replicas must hold an entry before it is committed, and Qv
// replicas must enter a view before it begins. So at least one of the replicas that begin a view
// holds any given committed entry.
//
// # Normal operation
//
// primary.go, progress.go and backup.go. For a group of a, the primary, and b and c:
//
//	a → b,c   Prepare    view, the viewstamp before the entries, the entries, the commit number
//	b → a     PrepareOK  view, the last op that b holds durably and has compared with a's log
//	a         commits, and applies; b and c learn of it from the next Prepare or Commit
//	a → b,c   Commit     the heartbeat: view, commit number, round
//	b → a     CommitOK   view, round, the last op compared
//
// The primary writes its own copy while the Prepare travels (N2). It commits an entry of its own
// view once Qr replicas hold it, and counts itself only when its own write is done (N4). A backup
// appends entries only behind an entry with the viewstamp that the Prepare names; otherwise it answers
// Gap, and the primary goes back to where the logs agree (N3). A backup's entries that conflict with the
// primary's are cut. They were never committed.
//
// # View change
//
// viewchange.go and bestlog.go. When b's detector no longer trusts a, b votes to leave the view.
// One vote changes nothing: with votes from Qv replicas each of them enters the next view (V1, V3).
//
//	b → a,c   StartViewChange  the view to leave
//	c → a,b   StartViewChange
//	b → a,c   DoViewChange     the new view; the end of b's log, its commit number
//	c → a,b   DoViewChange
//	b         has the logs of Qv replicas described, and takes the best (V6):
//	b → c     GetState         what follows b's own log, if c's is better
//	c → b     NewState
//	b → a,c   Prepare          the new view's opening entry; when it is committed, so is all before
//
// From the moment it enters the new view a replica acknowledges nothing of the old one (V5). That
// and the overlap of the quorums is why the best log holds every committed entry. A replica that
// learns of a higher view enters it too (V4). When a primary votes to leave the view that it leads,
// because it cannot serve or is asked to, that one vote suffices (V2, handover.go). A view change
// that does not finish is left like a view (V8).
//
// # Catch-up
//
// A backup that was away gets what it lacks in Prepares, from the primary's memory or disk. If the
// primary's log begins too late, it offers its latest snapshot instead (C1 to C3, transfer.go):
//
//	a → b     SnapshotOffer    at each heartbeat
//	b → a     GetChunk         for each chunk that b lacks, some at a time
//	a → b     SnapshotChunk
//
// A chunk may come from any member that holds that very snapshot, so a transfer survives broken
// connections, restarts and changes of primary.
//
// A message of one large entry or proposal travels in parts, which the shell sends and puts together.
// To the core they show that it makes progress (C5, parts.go).
//
// # Formation and memory
//
// forming.go. A replica with an empty disk gives its memory a random identity, its incarnation, and
// sends Question to all. When every member has answered that it holds nothing, the list's first
// member makes op 1: the member list with the incarnations. Op 1 is committed once every member
// holds it, and nothing follows it before (S2). Messages of other incarnations are dropped (S4): a
// replica that lost its memory may have lost entries that it acknowledged, and stays out (S3). Start
// numbers distinguish the processes of one memory. Together with the acknowledgements that other
// members remember, they show that a log has lost its end (memories.go, S6).
//
// # Requests
//
// requests.go and sessions.go. Any member accepts proposals and forwards them to the primary in
// Request messages (X5). A member's process has a session, opened by an entry, in which it numbers
// its callers' proposals. It sends a proposal again until the result is known, and the session
// table, a part of the replicated state, makes the second copy harmless (X1, X2). Reply refuses an
// attempt, and a proposal counts as not applied only when every attempt was refused (X4).
//
// # Reads
//
// reads.go. A primary may have been replaced without having heard of it. So it answers a
// linearizable read only after a round of heartbeats that began after the read, and that enough
// replicas answered to exclude that another view had begun (R1). A backup asks the primary, with
// ReadRound, which op its own state must have reached.
//
// # Durability
//
// saves.go. All changes of a turn are gathered in one Save. Messages leave through the method send
// alone, which defers each until the saves that make it true are durable: the view for every
// message, and the log for PrepareOK and DoViewChange. So whatever a replica sent before a crash,
// it finds on its disk. Prepares are the exception, and a primary never leads its view again after
// a restart (V2).
//
// # The shell
//
// The shell is the code around a Replica that has files, a network and a clock. One goroutine owns
// the Replica. It
//
//   - makes one with New from what the disk holds (Durable);
//   - gives it every Event with Step, and Tick at Deadline at the latest;
//   - calls Ready after one or more events, and performs the Output that this returns, before the
//     next Ready.
//
// It performs an Output as follows. It waits for none of this; every result returns as an event.
//
//   - Save: write it, after all earlier ones, whole or not at all; sync; then Saved. If that fails
//     the replica must stop. If the disk is full, DiskFull, and try again.
//   - Messages: send each at once, with Header. They may be lost.
//   - Restore, then Apply: replace the state by the snapshot; apply the entries in order, through
//     Sessions; then Applied, and SessionOpened once this process's session is open.
//   - Loads: read the entries from the log; then Loaded.
//   - Settled, Reads: the outcome of a proposal; the op that must be applied before a read may run.
//   - Compact: drop the beginning of the log; then Compacted.
//   - Chunks: send SnapshotChunk if that snapshot is held, otherwise one without data.
//   - Fetch: begin, continue or complete the receipt of a snapshot; then ChunksMissing,
//     ChunkWritten or SnapshotReceived.
//   - Retake: take a snapshot; then SnapshotTaken, as after any other.
//   - Err: stop.
package vsr
