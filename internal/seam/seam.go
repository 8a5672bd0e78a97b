// Package seam lets package smrtest use what package smr has and does not export. Package smr sets its variables; values of
// types of package smr are any, since this package cannot import it.
package seam

import "github.com/smr-go/smr/internal/vsr"

var (
	// LevelOp returns the op of a smr.ReadLevel that smr.AtLeast returned, and 0 for any other level.
	LevelOp func(level any) (op uint64)

	// Status returns the smr.Status of a replica whose core is in state s and whose applier has reached op applied,
	// with the addresses that the core knows.
	Status func(s *vsr.State, id string, applied vsr.OpNumber) (status any)
)
