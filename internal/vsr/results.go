package vsr

import "fmt"

// results is what this replica knows of the results that the session table keeps for its session, or
// will keep once requests that were sent are executed: from the floor on, because every later request
// carries that floor and drops the results below it. The replica sends no request whose result might
// find the session's window full (X2).
type results struct {
	sizes   []int64 // by number-floor: the size of the result, or one of the values below. As long as requests.waiting
	kept    int64   // sum of the known sizes
	open    int64   // how many sizes are unknown
	typical int64   // moving average of the sizes, which stands for those that are unknown
}

const (
	unsent      = -1 // the request has not been sent
	unknownSize = -2 // it has, and its result is not known
)

// room reports whether the results of all requests sent and one more are expected to fit. Their sizes
// are not known before. If they turn out larger, the table does not keep the last of them
// (Sessions.Finish); reserving the largest size for each would leave one request in flight.
func (x *results) room(window int64) bool { return x.kept+(x.open+1)*x.typical <= window }

// sent records that the request at place i was sent.
func (x *results) sent(i int) {
	if x.sizes[i] == unsent {
		x.sizes[i] = unknownSize
		x.open++
	}
}

// learn records the size of a result.
func (x *results) learn(i int, size int64) {
	if x.sizes[i] < 0 {
		x.never(i)
		x.sizes[i] = size
		x.kept += size
		x.typical += (size - x.typical) / 32
	}
}

// never records that the request at place i will never have a result.
func (x *results) never(i int) {
	if x.sizes[i] == unknownSize {
		x.open--
	}
	if x.sizes[i] < 0 {
		x.sizes[i] = 0
	}
}

// drop removes the first n: the floor rises above them.
func (x *results) drop(n int) {
	for i := range n {
		x.never(i)
		x.kept -= x.sizes[i]
	}
	if n == len(x.sizes) {
		n = 0
		x.sizes = x.sizes[:0] // reuse the memory
	}
	x.sizes = x.sizes[n:]
}

// check returns an error if a sum is wrong.
func (x *results) check(waiting int) error {
	kept, open := int64(0), int64(0)
	for _, size := range x.sizes {
		kept += max(size, 0)
		if size == unknownSize {
			open++
		}
	}
	if kept != x.kept || open != x.open || len(x.sizes) != waiting {
		return fmt.Errorf("X2: %d results of %d bytes, %d unknown; counted as %d bytes, %d unknown, of %d requests", len(x.sizes), kept, open, x.kept, x.open, waiting)
	}
	return nil
}

// resultFits reports whether the request may be sent as far as results are concerned. The first that
// waits always may, since the floor raises no higher before it is done; so may one that was sent before,
// since its result counts already.
func (r *Replica) resultFits(number uint64) bool {
	q := &r.requests
	i := int(number - q.floor)
	return i == 0 || q.results.sizes[i] != unsent || q.results.room(r.resultWindow())
}
