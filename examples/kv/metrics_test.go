package main

import (
	"bufio"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMetricsCountAnswers(t *testing.T) {
	w := newTestWeb(t)
	w.do("PUT", "/kv/k", "v")
	w.do("PUT", "/kv/k", "v")
	w.do("GET", "/kv/k", "")
	w.do("GET", "/kv/none", "")
	w.do("GET", "/kv", "")
	w.do("BREW", "/kv/k", "")
	w.do("GET", "/status", "")

	got := w.do("GET", "/metrics", "")
	assert.Equal(t, 200, got.code)
	assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", got.header.Get("Content-Type"))
	lines := strings.Split(got.body, "\n")
	for _, line := range []string{
		`kv_requests_total{method="PUT",code="204"} 2`,
		`kv_requests_total{method="GET",code="200"} 2`,
		`kv_requests_total{method="GET",code="404"} 1`,
		`kv_requests_total{method="other",code="405"} 1`,
		`kv_request_seconds_bucket{le="+Inf"} 6`,
		`kv_request_seconds_count 6`,
		`smr_view 4`, `smr_epoch 1`, `smr_op 9`, `smr_commit 8`, `smr_applied 7`, `smr_snapshot 6`, `smr_members 2`,
		`smr_primary 0`, `smr_problem 0`, `smr_phase{phase="normal"} 1`, `smr_phase{phase="view change"} 0`,
	} {
		assert.Contains(t, lines, line)
	}
}

func TestHistogramIsCumulative(t *testing.T) {
	m := newMetrics()
	for _, seconds := range []float64{.0005, .001, .0011, 3, 1000} {
		m.add(answered{"GET", 200}, seconds)
	}
	var text strings.Builder
	m.write(&text)
	for _, line := range []string{
		`kv_request_seconds_bucket{le="0.001"} 2`,
		`kv_request_seconds_bucket{le="0.0025"} 3`,
		`kv_request_seconds_bucket{le="2.5"} 3`,
		`kv_request_seconds_bucket{le="5"} 4`,
		`kv_request_seconds_bucket{le="10"} 4`,
		`kv_request_seconds_bucket{le="+Inf"} 5`,
		`kv_request_seconds_count 5`,
	} {
		assert.Contains(t, text.String(), line+"\n")
	}
}

// In the text format every sample follows the HELP and TYPE of its family.
func TestMetricsAreWellFormed(t *testing.T) {
	w := newTestWeb(t)
	w.do("PUT", "/kv/k", "v")
	sample := regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+$`)
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	var family string
	lines := bufio.NewScanner(strings.NewReader(w.do("GET", "/metrics", "").body))
	for lines.Scan() {
		if comment, ok := strings.CutPrefix(lines.Text(), "# "); ok {
			family = strings.Fields(comment)[1]
			continue
		}
		parts := sample.FindStringSubmatch(lines.Text())
		require.NotNil(t, parts, lines.Text())
		assert.Equal(t, family, suffix.ReplaceAllString(parts[1], ""), lines.Text())
	}
	require.Equal(t, "smr_phase", family)
}
