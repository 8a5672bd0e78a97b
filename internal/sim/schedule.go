package sim

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

// Schedule is a run in writing: its world, its calls and its faults. With the same build and the same state machine it
// repeats the run. Its text has a line for each setting, each call and each fault:
//
//	# 11.3: 4@1.0 is committed; a view change could choose the log that ends with 3@1.0, …
//	set Seed 4711
//	set Network.Loss 0.01
//	at 1.1s call a by 2: put body "x=1" op 4
//	at 1.203s crash a for 400ms seed 17
//	from 2s after b sent DoViewChange 1: cut b a for 1s
//	at 4s split of a,c for 2s
//	at 5s slow-link a b by 20ms for 1s
//	at 5s lossy-link b a losing 250/1000 for 1s
type Schedule struct {
	About  string // the failure that it shows
	Setup  Setup
	Calls  []PlannedCall // if there are any, or Setup.Callers is zero, the callers make no others
	Faults []fault.Fault
}

// WriteTo writes the schedule as text.
func (x *Schedule) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if x.About != "" {
		fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(x.About, "\n", "\n# "))
	}
	eachSetting(reflect.ValueOf(x.Setup), "", func(name string, v reflect.Value) {
		if !v.IsZero() {
			fmt.Fprintf(&b, "set %s %v\n", name, v.Interface())
		}
	})
	bodies, calls := 0, x.Calls
	for i := range calls {
		bodies += len(calls[i].Body)
	}
	for i := range x.Faults {
		for ; len(calls) > 0 && calls[0].At <= x.Faults[i].At; calls = calls[1:] {
			fmt.Fprintln(&b, calls[0].line(bodies > muchBody))
		}
		fmt.Fprintln(&b, x.Faults[i].String())
	}
	for i := range calls {
		fmt.Fprintln(&b, calls[i].line(bodies > muchBody))
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// eachSetting calls f for each field that is not a struct, by its dotted name.
func eachSetting(v reflect.Value, prefix string, f func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		name := prefix + v.Type().Field(i).Name
		if v.Field(i).Kind() == reflect.Struct {
			eachSetting(v.Field(i), name+".", f)
		} else {
			f(name, v.Field(i))
		}
	}
}

// ReadSchedule reads what WriteTo wrote. The error names the line.
func ReadSchedule(r io.Reader) (*Schedule, error) {
	x := &Schedule{}
	settings := map[string]reflect.Value{}
	eachSetting(reflect.ValueOf(&x.Setup).Elem(), "", func(name string, v reflect.Value) { settings[name] = v })
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if err := x.read(strings.TrimSpace(line), settings); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return x, x.check()
}

func (x *Schedule) read(line string, settings map[string]reflect.Value) error {
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
	case strings.HasPrefix(line, "#"):
		if x.About != "" {
			x.About += "\n"
		}
		x.About += strings.TrimSpace(line[1:])
	case words[0] == "set" && len(words) == 3:
		v, ok := settings[words[1]]
		if !ok {
			return fmt.Errorf("there is no setting %q", words[1])
		}
		return setTo(v, words[2])
	case words[0] == "set":
		return fmt.Errorf("a setting has the form: set NAME VALUE")
	default:
		if c, ok, err := parseCall(line); ok {
			x.Calls = append(x.Calls, c)
			return err
		}
		f, err := fault.Parse(line)
		if err != nil {
			return err
		}
		x.Faults = append(x.Faults, f)
	}
	return nil
}

func setTo(v reflect.Value, text string) (err error) {
	if d, ok := v.Addr().Interface().(*time.Duration); ok {
		*d, err = time.ParseDuration(text)
	} else {
		_, err = fmt.Sscanln(text, v.Addr().Interface())
	}
	if v.CanInt() && v.Int() < 0 || v.CanFloat() && !(v.Float() >= 0 && v.Float() <= math.MaxFloat64) {
		return fmt.Errorf("%s: a setting must not be negative", text)
	}
	return err
}

// check returns an error if no run can be made of the schedule.
func (x *Schedule) check() error {
	p := &x.Setup
	if p.Replicas < 1 || p.Replicas > 7 {
		return fmt.Errorf("set Replicas is %d; it must be 1 to 7", p.Replicas)
	}
	if (p.Qr != 0 || p.Qv != 0) && (p.Qr < 1 || p.Qv < 1 || p.Qr > p.Replicas || p.Qv > p.Replicas ||
		p.Qr+p.Qv <= p.Replicas) {
		return fmt.Errorf("set Qr and Qv are %d and %d; each must be 1 to %d, and their sum above that", p.Qr, p.Qv,
			p.Replicas)
	}
	if p.SnapshotEvery < 1 || p.CompareEvery < 1 || p.Heartbeat < time.Millisecond {
		return fmt.Errorf("set SnapshotEvery, CompareEvery and Heartbeat are %d, %d and %v; the first two must be at "+
			"least 1, the last 1ms", p.SnapshotEvery, p.CompareEvery, p.Heartbeat)
	}
	if p.Callers.PerReplica > 0 && len(x.Calls) > 0 {
		return fmt.Errorf("set Callers.PerReplica is %d, and there are calls; callers make either those or random ones",
			p.Callers.PerReplica)
	}
	at := map[int]int{}
	for i := range x.Calls {
		c := &x.Calls[i]
		if host, ok := at[c.Caller]; c.Host >= p.Replicas || ok && host != c.Host {
			return fmt.Errorf("%s: the group has %d replicas, and a caller is at one of them", c, p.Replicas)
		}
		at[c.Caller] = c.Host
	}
	for i := range x.Faults {
		if err := x.Faults[i].Check(p.Replicas); err != nil {
			return fmt.Errorf("%s: %w", &x.Faults[i], err)
		}
	}
	return nil
}
