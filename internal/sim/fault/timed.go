package fault

import (
	"math"
	"slices"
	"time"
)

// Forever is the end of what lasts until something ends it.
const Forever = time.Duration(math.MaxInt64)

// Until returns the end of what lasts for d from now on; d 0 is Forever.
func Until(now, d time.Duration) time.Duration {
	if d == 0 || d > Forever-now {
		return Forever
	}
	return now + d
}

// Timed holds the lasting faults of one kind at one place. The latest that has not ended counts;
// when it ends before an earlier one, the earlier one counts again.
type Timed []timed

type timed struct {
	until  time.Duration
	amount int64
}

// Begin adds an amount that lasts for d; d 0 is until all faults end. An amount of 0 ends all.
func (x *Timed) Begin(now, d time.Duration, amount int64) {
	if amount == 0 {
		*x = nil
		return
	}
	until := Until(now, d)
	*x = append(slices.DeleteFunc(*x, func(t timed) bool { return t.until <= until }), timed{until, amount})
}

// Amount returns the amount that counts now, or 0.
func (x Timed) Amount(now time.Duration) int64 {
	for _, t := range slices.Backward(x) {
		if now < t.until {
			return t.amount
		}
	}
	return 0
}

// Active reports whether there is an amount now.
func (x Timed) Active(now time.Duration) bool { return x.Amount(now) != 0 }
