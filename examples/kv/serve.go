package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/probes"
)

// serve runs one replica of a group and answers clients until ctx ends. Then it hands over the role of
// primary, if the replica has it, and answers the requests that are under way. It returns an error if the
// replica cannot start or stops by itself.
func serve(ctx context.Context, o options, logs io.Writer) error {
	log := hclog.New(&hclog.LoggerOptions{Name: string(o.id), Level: o.logLevel, Output: logs})
	listener, err := net.Listen("tcp", o.http)
	if err != nil {
		return listenFailed("-http "+o.http, err)
	}
	defer listener.Close()
	transport, err := listenTCP(o)
	if err != nil {
		return err
	}
	store := newStore()
	replica, err := smr.Start(config(o, store, transport, log))
	if err != nil {
		_ = transport.Close() // if Start has not; closing it twice is harmless
		return startFailed(o, err)
	}
	log.Info("serving", "http", listener.Addr(), "dir", o.dir)
	if err := serveUntil(ctx, listener, &db{replica, store}, replica, o.timeout, log); err != nil {
		_ = replica.Close() // err has the first cause
		return err
	}
	return replica.Close()
}

func config(o options, store *store, transport smr.Transport, log hclog.Logger) smr.Config {
	return smr.Config{
		ID:            o.id,
		Members:       o.members,
		StateMachine:  store,
		Transport:     transport,
		Group:         "kv",
		Dir:           o.dir,
		Volatile:      o.volatile,
		Heartbeat:     o.heartbeat,
		SnapshotEvery: o.snapshotEvery,
		MaxOpSize:     maxOp,
		Logger:        log,
	}
}

// serveUntil answers clients until ctx ends or the replica stops.
func serveUntil(ctx context.Context, l net.Listener, d *db, replica *smr.Replica, timeout time.Duration, log hclog.Logger) error {
	stopping, stop := context.WithCancel(context.Background())
	defer stop()
	limit := &budget{limit: requestBytes}
	web := newWeb(&server{db: d, timeout: timeout, stopping: stopping, metrics: newMetrics(), budget: limit, probes: probes.Handler(replica)}, log)
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(countedListener{l, limit}) }()
	select {
	case <-ctx.Done():
		stop() // ends the waits of /status
		handOver(replica, log)
		drain(web, timeout, log)
		return nil
	case <-replica.Done():
		_ = web.Close()
		return fmt.Errorf("the replica has stopped: %w", replica.Err())
	case err := <-failed:
		return fmt.Errorf("serving HTTP: %w", err)
	}
}

// newWeb returns an HTTP server with limits on the time for the headers, for a whole request and for its
// answer, and on the size of the headers, which have room for an old value of maxOp in percent-encoding.
func newWeb(s *server, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2*maxWait + answerTime, // of an answer that does not say how long it takes
		IdleTimeout:       2 * time.Minute,
		ConnContext:       withConn,
		MaxHeaderBytes:    4 * maxOp,
		ErrorLog:          log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// handoverLimit is the time that a replica that stops allows for handing over its role. That usually takes
// some milliseconds, but never succeeds if the whole group is stopped at once.
const handoverLimit = time.Second

// handOver hands the role of primary over to another replica, so that the group need not detect that this
// one is gone.
func handOver(replica *smr.Replica, log hclog.Logger) {
	st := replica.Status()
	if st.Primary != st.ID {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handoverLimit)
	defer cancel()
	switch err := replica.Handover(ctx, ""); {
	case errors.Is(err, context.DeadlineExceeded): // nothing is wrong if all stop
		log.Info("no replica is there yet to take over the role of primary; those that come will detect that this one is gone", "error", err)
	case err != nil:
		log.Warn("no replica took over the role of primary; the others will detect that this one is gone", "error", err)
	}
}

// drain answers the requests that are under way and accepts no new ones. It does not wait for clients that
// send their requests too slowly.
func drain(web *http.Server, timeout time.Duration, log hclog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout+time.Second)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		log.Warn("stopping with requests under way", "waited", timeout+time.Second, "error", err)
		_ = web.Close()
	}
}

// startFailed returns an error that explains why a replica does not start. Errors of smr name the remedy;
// to those of the file system it adds one.
func startFailed(o options, err error) error {
	var path *fs.PathError
	if o.dir != "" && errors.As(err, &path) {
		return fmt.Errorf("-dir %s: %w; give a directory that this user may read and write", o.dir, err)
	}
	return err
}
