package conform_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/conform"
)

// service is code of yours that uses a replica.
type service struct{ replica *smr.Replica }

func (s *service) count(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := s.replica.Propose(ctx, []byte("inc"))
	return err
}

// testService is TestService in a package of your own.
func testService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time is virtual in here
		c := conform.NewReal(t, 3, newCounter, nil)
		p := c.Primary()
		s := &service{c.Replica(p)}
		assert.NoError(t, s.count(t.Context()))

		c.Partition(p)
		assert.ErrorIs(t, s.count(t.Context()), context.DeadlineExceeded)
		c.Heal()
		c.Settle()
	})
}

// Real replicas, for tests of code that uses them.
func ExampleNewReal() {
	_ = testService
}
