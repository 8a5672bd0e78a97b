package snap

import (
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// A snapshot's file is named <epoch>-<view>-<op>-<hash> with one of these suffixes. Other files in
// the directory are left alone.
const (
	complete = ".snap"
	partial  = ".part" // being received
	local    = ".new"  // being written; the hash in the name is zero because it is not known yet
)

func fileName(id ID, kind string) string {
	return fmt.Sprintf("%016x-%016x-%016x-%x%s", id.Epoch, id.View, id.Op, id.Hash, kind)
}

func (s *Store) path(id ID, kind string) string { return path.Join(s.dir, fileName(id, kind)) }

// parseName is the inverse of fileName.
func parseName(name string) (id ID, kind string, ok bool) {
	kind = path.Ext(name)
	fields := strings.Split(strings.TrimSuffix(name, kind), "-")
	if len(fields) != 4 || kind != complete && kind != partial && kind != local {
		return ID{}, "", false
	}
	hash, err := hex.DecodeString(fields[3])
	if err != nil || len(hash) != len(id.Hash) {
		return ID{}, "", false
	}
	id.Hash = [32]byte(hash)
	for i, n := range []*uint64{&id.Epoch, &id.View, &id.Op} {
		*n, _ = strconv.ParseUint(fields[i], 16, 64)
	}
	return id, kind, fileName(id, kind) == name
}

// Count returns how many of the named files are complete snapshots, partly received ones, and ones that are being written.
func Count(names []string) (whole, received, written int) {
	count := map[string]int{}
	for _, name := range names {
		count[path.Ext(name)]++
	}
	return count[complete], count[partial], count[local]
}
