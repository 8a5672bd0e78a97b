package shell

import (
	"slices"
	"sort"
)

// numbered holds values by their numbers. Each number is higher than those before, and most values are taken in about that
// order: then it costs less than a map.
type numbered[T any] struct {
	all   []numberedValue[T] // numbers rise; the first has a value, unless all is empty
	count int                // values
}

// numberedValue is a value with its number; nil if it was taken.
type numberedValue[T any] struct {
	number uint64
	value  *T
}

// add adds a value. Its number is higher than all before.
func (n *numbered[T]) add(number uint64, value *T) {
	n.all = append(n.all, numberedValue[T]{number, value})
	n.count++
}

// place returns the place of the value with that number, or -1.
func (n *numbered[T]) place(number uint64) int {
	i := 0
	if len(n.all) > 0 {
		i = int(min(number-n.all[0].number, uint64(len(n.all)))) // if no number is missing
	}
	if i == len(n.all) || n.all[i].number != number {
		i = sort.Search(len(n.all), func(i int) bool { return n.all[i].number >= number })
	}
	if i == len(n.all) || n.all[i].number != number || n.all[i].value == nil {
		return -1
	}
	return i
}

// get returns the value with that number, or nil.
func (n *numbered[T]) get(number uint64) *T {
	if i := n.place(number); i >= 0 {
		return n.all[i].value
	}
	return nil
}

// take removes the value with that number and returns it, or nil.
func (n *numbered[T]) take(number uint64) *T {
	i := n.place(number)
	if i < 0 {
		return nil
	}
	x := n.all[i].value
	n.all[i].value = nil
	n.count--
	n.drop()
	return x
}

// drop removes the places of values that were taken: those at the beginning, and all of them once they are most.
func (n *numbered[T]) drop() {
	if n.count == 0 {
		n.all = n.all[:0]
		return
	}
	first := 0
	for n.all[first].value == nil {
		first++
	}
	n.all = n.all[first:]
	if len(n.all) > 2*n.count+64 {
		n.all = slices.DeleteFunc(n.all, func(x numberedValue[T]) bool { return x.value == nil })
	}
}

// numbers returns the numbers of all values, rising.
func (n *numbered[T]) numbers() []uint64 {
	all := make([]uint64, 0, n.count)
	for _, x := range n.all {
		if x.value != nil {
			all = append(all, x.number)
		}
	}
	return all
}
