package vsr

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of kinds, their numbers and the types of the messages agree.
func TestKindsOfMessages(t *testing.T) {
	for k := MessageKind(1); k <= LastKind; k++ {
		m := k.New()
		assert.Equal(t, k, KindOf(m))
		assert.Equal(t, fmt.Sprintf("*vsr.%v", k), fmt.Sprintf("%T", m))
		assert.Equal(t, k, KindNamed(k.String()))
	}
	assert.Nil(t, MessageKind(0).New())
	assert.Nil(t, (LastKind + 1).New())
	assert.Zero(t, KindNamed(""))
	assert.Zero(t, KindNamed("Vote"))
}

func TestEveryMessageHasAKind(t *testing.T) {
	source, err := os.ReadFile("kind.go")
	require.NoError(t, err)
	var messages, kinds []string
	for _, match := range regexp.MustCompile(`(?m)^func \(\*(\w+)\) kind\(\)`).FindAllSubmatch(source, -1) {
		messages = append(messages, string(match[1]))
	}
	for k := MessageKind(1); k <= LastKind; k++ {
		kinds = append(kinds, k.String())
	}
	assert.ElementsMatch(t, messages, kinds)
}
