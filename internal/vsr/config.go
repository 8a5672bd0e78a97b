package vsr

import (
	"math/rand/v2"
	"time"
)

// Detector decides how long a silent primary is trusted (D1). See smr.Detector.
type Detector interface {
	Reset(now time.Time)
	Heard(now time.Time)
	Deadline() time.Time
}

// Config configures a replica. Every field is required unless its comment gives zero a meaning.
type Config struct {
	Self      Index
	Members   Membership // as configured: without incarnations
	Detector  Detector
	Heartbeat time.Duration
	// IdleHeartbeat is the limit to which Heartbeat grows while the group is idle. If it is not
	// above Heartbeat, the interval does not grow.
	IdleHeartbeat time.Duration
	Abdication    time.Duration
	DiskLimit     time.Duration // 0: no limit
	Window        int64         // limit in bytes of the entries above the commit number (N1), of waiting proposals, and of durable entries in memory that are not applied
	Tail          int64         // limit in bytes of applied entries in memory; 0 with Volatile
	Results       int64         // limit in bytes of the results that the table keeps for a session (X2), the same at every member; 0: SessionWindow
	KeepLog       int64         // limit in bytes of the log below the snapshot that is kept for slow replicas (N9)
	Volatile      bool          // there is no disk to load entries from
	Rand          *rand.Rand    // for group ids, incarnations, nonces; never for order
}

// Durable is the state that a replica finds on its disk. The zero value is an empty disk.
type Durable struct {
	Head     Head
	Base     Viewstamp   // the log holds Base.Op+1 .. Last.Op
	Last     Viewstamp   // the last entry of the log; Base if the log is empty
	Runs     []Viewstamp // first entry of each stretch of one view
	First    *Entry      // op 1, if it is in the log
	Entries  []Entry     // the newest entries of the log; they include the last one unless the snapshot does
	Snapshot *Snapshot   // the latest snapshot, which the state machine has restored; nil if there is none
	Time     int64       // Time of the last operation in Snapshot
}
