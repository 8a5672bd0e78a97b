package rig

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a table in markdown. The first row is its head; all have as many cells.
type Table [][]string

// Add adds a row.
func (t *Table) Add(cells ...string) { *t = append(*t, cells) }

// WriteTo writes the table, its columns aligned for who reads it as it is.
func (t Table) WriteTo(w io.Writer) (int64, error) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range t {
		for i, cell := range row {
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				b.WriteString("|" + strings.Repeat("-", width+2))
			}
			b.WriteString("|\n")
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
