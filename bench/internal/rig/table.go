package rig

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a Markdown table. The first row is its head. All rows have the same number of cells.
type Table [][]string

// Add appends a row.
func (t *Table) Add(cells ...string) { *t = append(*t, cells) }

// WriteTo writes the table with aligned columns, so that its source is readable too.
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
