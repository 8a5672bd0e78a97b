package rig

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Quantile returns the smallest of values that at least a share q of them does not exceed (the
// nearest rank). values must not be empty; it is not modified.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Spread formats the median of values and, if there are several, their range.
func Spread[T cmp.Ordered](values []T, text func(T) string) string {
	median := text(Quantile(values, 0.5))
	if len(values) == 1 {
		return median
	}
	return fmt.Sprintf("%s (%s–%s)", median, text(slices.Min(values)), text(slices.Max(values)))
}

// Short formats a time with three digits.
func Short(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// Count formats a whole number with thousands separators.
func Count(f float64) string {
	digits := fmt.Sprintf("%.0f", f)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
