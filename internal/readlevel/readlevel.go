// Package readlevel lets package smrtest see what level a smr.ReadLevel is: its fields are unexported.
package readlevel

// Op returns the op of a level that smr.AtLeast returned, and 0 of others. Package smr sets it.
var Op func(level any) (op uint64)
