package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Group is three kv servers with default settings, each a process with a directory of its own, that
// replicate over TCP on the loopback interface.
type Group []*Process

// WithGroup builds kv, starts a group below dir, and runs f once both other replicas follow a
// primary. All processes have ended when it returns. Unless ctx has ended, its error includes the
// last lines of the servers' logs.
func WithGroup(ctx context.Context, dir string, f func(Group) error) error {
	program, err := build(ctx, dir)
	if err != nil {
		return err
	}
	g, err := newGroup(program, dir)
	if err != nil {
		return err
	}
	defer g.kill()
	if err = g.start(); err == nil {
		if _, err = g.Settled(ctx); err == nil {
			err = f(g)
		}
	}
	if err != nil && ctx.Err() == nil {
		err = errors.Join(err, g.logs())
	}
	return err
}

// build compiles examples/kv of the module under test.
func build(ctx context.Context, dir string) (program string, err error) {
	const module = "github.com/smr-go/smr"
	source, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("cannot find %s: %w; run the benchmark with go -C bench run", module, err)
	}
	program = filepath.Join(dir, "kv")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./examples/kv")
	cmd.Dir = strings.TrimSpace(string(source))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build kv: %w\n%s", err, out)
	}
	return program, nil
}

func newGroup(program, dir string) (g Group, err error) {
	addrs, err := freeAddrs(loopback(), 6)
	if err != nil {
		return nil, err
	}
	members := fmt.Sprintf("a=%s,b=%s,c=%s", addrs[0], addrs[1], addrs[2])
	for i, id := range []string{"a", "b", "c"} {
		g = append(g, &Process{
			ID: id, url: "http://" + addrs[3+i], program: program, log: filepath.Join(dir, id+".log"),
			args: []string{"serve", "-id", id, "-members", members, "-http", addrs[3+i], "-dir", filepath.Join(dir, id)},
		})
	}
	return g, nil
}

// freeAddrs returns n different addresses on the host that are not in use.
func freeAddrs(host string, n int) (addrs []string, err error) {
	for range n {
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // after all addresses are chosen, so that they differ
		addrs = append(addrs, listener.Addr().String())
	}
	return addrs, nil
}

func (g Group) start() error {
	for _, p := range g {
		if err := p.Start(); err != nil {
			return err
		}
	}
	return nil
}

func (g Group) kill() {
	for _, p := range g {
		p.kill()
	}
}

// Role names the primary, its view and the backups.
type Role struct {
	Primary *Process
	View    uint64
	Backups Group
}

// Settled waits until all three replicas are in one view, agree on its primary, and have applied
// every op that was committed at any of them when they were asked.
func (g Group) Settled(ctx context.Context) (role Role, err error) {
	commit := uint64(0)
	err = await(ctx, "all replicas to be up to date in one view", func(ctx context.Context) bool {
		answers := g.ask(ctx)
		for _, s := range answers {
			commit = max(commit, s.Commit)
		}
		role = g.role(answers, commit)
		return role.Primary != nil
	})
	return role, err
}

// ask returns the status of each process that answers.
func (g Group) ask(ctx context.Context) (answers []Status) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, p := range g {
		if s, err := p.Status(ctx, ""); err == nil {
			answers = append(answers, s)
		}
	}
	return answers
}

// role returns the roles of the processes. The primary is nil unless all agree and have applied
// commit.
func (g Group) role(answers []Status, commit uint64) (role Role) {
	if len(answers) < len(g) {
		return Role{}
	}
	first := answers[0]
	for i, s := range answers {
		if s.Phase != "normal" || s.View != first.View || s.Primary != first.Primary || s.Applied < commit {
			return Role{}
		}
		if s.ID == s.Primary {
			role.Primary, role.View = g[i], s.View
		} else {
			role.Backups = append(role.Backups, g[i])
		}
	}
	return role
}

// logs returns the last lines of every process's log.
func (g Group) logs() error {
	const lines = 40
	var all []error
	for _, p := range g {
		text, err := os.ReadFile(p.log)
		if err != nil {
			all = append(all, err)
			continue
		}
		tail := strings.Split(strings.TrimSpace(string(text)), "\n")
		tail = tail[max(len(tail)-lines, 0):]
		all = append(all, fmt.Errorf("log of %s:\n%s", p.ID, strings.Join(tail, "\n")))
	}
	return errors.Join(all...)
}
