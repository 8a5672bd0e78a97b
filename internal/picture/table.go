package picture

import "encoding/json"

// table holds rows of numbers as columns, which take half the bytes in JSON. The first column, which never
// falls, holds the differences from row to row.
type table struct {
	names   []string
	columns [][]int64
	last    int64
}

func newTable(names ...string) *table {
	t := &table{names: names, columns: make([][]int64, len(names))}
	for i := range t.columns {
		t.columns[i] = []int64{} // not null in JSON
	}
	return t
}

func (t *table) add(row ...int64) {
	row[0], t.last = row[0]-t.last, row[0]
	for i, n := range row {
		t.columns[i] = append(t.columns[i], n)
	}
}

// MarshalJSON writes the columns by name.
func (t *table) MarshalJSON() ([]byte, error) {
	byName := map[string][]int64{}
	for i, name := range t.names {
		byName[name] = t.columns[i]
	}
	return json.Marshal(byName)
}
