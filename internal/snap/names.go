package snap

import (
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// The files of a directory: <epoch>-<view>-<op>-<hash> and one of these. Others are not touched.
const (
	complete = ".snap"
	partial  = ".part" // being received
	local    = ".new"  // being written; its hash is not known yet, and zero
)

func fileName(id ID, kind string) string {
	return fmt.Sprintf("%016x-%016x-%016x-%x%s", id.Epoch, id.View, id.Op, id.Hash, kind)
}

func (s *Store) path(id ID, kind string) string { return path.Join(s.dir, fileName(id, kind)) }

// parseName undoes fileName.
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
