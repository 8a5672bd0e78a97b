package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

const three = "a=127.0.0.1:7001,b=127.0.0.1:7002,c=[::1]:7003"

func TestFlags(t *testing.T) {
	o, err := parse(strings.Fields("-id b -members "+three+" -http :8002 -dir data/b -listen 0.0.0.0:7002 -cert b.crt -key b.key"+
		" -ca ca.crt -timeout 2s -snapshot-every 10 -heartbeat 20ms -log-level warn"), nil)
	require.NoError(t, err)
	assert.Equal(t, options{
		id: "b", members: []smr.Member{{ID: "a", Addr: "127.0.0.1:7001"}, {ID: "b", Addr: "127.0.0.1:7002"}, {ID: "c", Addr: "[::1]:7003"}},
		http: ":8002", dir: "data/b", listen: "0.0.0.0:7002", cert: "b.crt", key: "b.key", ca: "ca.crt",
		timeout: 2 * time.Second, snapshotEvery: 10, heartbeat: 20 * time.Millisecond, logLevel: hclog.Warn,
	}, o)
}

func TestDefaultsOfFlags(t *testing.T) {
	o, err := parse(strings.Fields("-id a -members a=h:1 -http :8001 -volatile"), nil)
	require.NoError(t, err)
	assert.Equal(t, options{id: "a", members: []smr.Member{{ID: "a", Addr: "h:1"}}, http: ":8001", volatile: true,
		timeout: 5 * time.Second, logLevel: hclog.Info}, o)
}

// Each mistake is reported in one line that names the flag and the reason.
func TestMistakesInFlags(t *testing.T) {
	fine := []string{"-id", "a", "-members", three, "-http", ":8001", "-dir", "data"}
	for _, test := range []struct{ extra, says string }{
		{"-id=", "-id is missing"},
		{"-id=d", "-id d is not in -members"},
		{"-members=", "-members is missing"},
		{"-members=a", `-members has "a"`},
		{"-members=a=h:1,", `-members has ""`},
		{"-members==h:1", `-members has "=h:1"`},
		{"-members=a=h", `-members has "a=h"`},
		{"-members=a=h:99999", `-members has "a=h:99999"`},
		{"-members=a=h:1,a=h:2", "-members has a twice"},
		{"-members=a=h:1,b=h:1", "-members has b at the address of a, h:1"},
		{"-members=a=h:1,b=h:2,c=h:3,d=h:4,e=h:5,f=h:6,g=h:7,i=h:8", "-members has 8 replicas"},
		{"-members=" + strings.Repeat("x", 65) + "=h:1", "a name of 1 to 64 bytes"},
		{"-http=", "-http is missing"},
		{"-http=8001", `-http "8001" is not host:port`},
		{"-listen=7001", `-listen "7001" is not host:port`},
		{"-dir=", "give -dir"},
		{"-volatile", "not both"},
		{"-cert=c", "-cert, -key and -ca go together"},
		{"-ca=c", "-cert, -key and -ca go together"},
		{"-timeout=0s", "-timeout is 0s"},
		{"-timeout=5", `invalid value "5" for flag -timeout`},
		{"-heartbeat=-1s", "-heartbeat is -1s"},
		{"-snapshot-every=many", "-snapshot-every"},
		{"-log-level=loud", `-log-level is "loud"`},
		{"-wings", "-wings; see kv serve -h"},
		{"more", `"more" is no flag`},
	} {
		_, err := parse(append(fine[:len(fine):len(fine)], test.extra), nil)
		var mistake usageError
		require.ErrorAs(t, err, &mistake, test.extra)
		assert.Contains(t, err.Error(), test.says, test.extra)
		assert.NotContains(t, err.Error(), "\n", test.extra)
	}
}

func TestHelp(t *testing.T) {
	var help bytes.Buffer
	_, err := parse([]string{"-h"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, name := range []string{"-id", "-members", "-http", "-listen", "-dir", "-volatile", "-cert", "-key", "-ca", "-timeout",
		"-snapshot-every", "-heartbeat", "-log-level"} {
		assert.Contains(t, help.String(), "\n  "+name)
	}
}
