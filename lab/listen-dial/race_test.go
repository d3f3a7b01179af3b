package listendial

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeConn counts that it was closed.
type fakeConn struct {
	net.Conn
	closed *atomic.Int32
}

func (c fakeConn) Close() error { c.closed.Add(1); return nil }

// fakeDialer answers after a time, by address; a negative one never answers.
func fakeDialer(after map[string]time.Duration, refused []string, closed *atomic.Int32, log func(string)) dialer {
	return func(ctx context.Context, address string) (net.Conn, error) {
		log(address)
		wait := after[address]
		if wait < 0 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		time.Sleep(wait) // of the bubble's clock; deaf to ctx, as a connection that is just being made
		if slices.Contains(refused, address) {
			return nil, errors.New("refused by " + address)
		}
		return fakeConn{closed: closed}, nil
	}
}

func TestRace(t *testing.T) {
	const stagger = 250 * time.Millisecond
	for name, c := range map[string]struct {
		after   map[string]time.Duration
		refused []string
		took    time.Duration
		dialled []string
		fails   string
		closed  int32
	}{
		"the first works":         {after: map[string]time.Duration{"a": 10 * time.Millisecond}, took: 10 * time.Millisecond, dialled: []string{"a"}},
		"the first is silent":     {after: map[string]time.Duration{"a": -1, "b": 10 * time.Millisecond}, took: stagger + 10*time.Millisecond, dialled: []string{"a", "b"}},
		"the first refuses":       {after: map[string]time.Duration{"a": 10 * time.Millisecond, "b": 10 * time.Millisecond}, refused: []string{"a"}, took: 20 * time.Millisecond, dialled: []string{"a", "b"}},
		"silent, refuses, works":  {after: map[string]time.Duration{"a": -1, "b": 0, "c": 0}, refused: []string{"b"}, took: stagger, dialled: []string{"a", "b", "c"}},
		"the first is slow, wins": {after: map[string]time.Duration{"a": 300 * time.Millisecond, "b": time.Second, "c": time.Second}, took: 300 * time.Millisecond, dialled: []string{"a", "b"}, closed: 1},
		"all refuse":              {after: map[string]time.Duration{}, refused: []string{"a", "b", "c"}, dialled: []string{"a", "b", "c"}, fails: "refused by c"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var closed atomic.Int32
				var mu sync.Mutex
				var dialled []string
				dial := fakeDialer(c.after, c.refused, &closed, func(a string) {
					mu.Lock()
					defer mu.Unlock()
					dialled = append(dialled, a)
				})
				begin := time.Now()
				conn, err := race(t.Context(), dial, []string{"a", "b", "c"}, stagger, func(f func()) { go f() })
				if took := time.Since(begin); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if c.fails != "" {
					if err == nil || err.Error() != c.fails {
						t.Errorf("failed with %v, want %s", err, c.fails)
					}
				} else if err != nil || conn == nil {
					t.Errorf("no connection: %v", err)
				}
				time.Sleep(5 * time.Second) // the others are over now
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				if !slices.Equal(dialled, c.dialled) {
					t.Errorf("dialled %v, want %v", dialled, c.dialled)
				}
				if n := closed.Load(); n != c.closed {
					t.Errorf("%d late connections closed, want %d", n, c.closed)
				}
			})
		})
	}
}

func TestRaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var closed atomic.Int32
		dial := fakeDialer(map[string]time.Duration{"a": -1, "b": -1}, nil, &closed, func(string) {})
		if _, err := race(ctx, dial, []string{"a", "b"}, time.Millisecond, func(f func()) { go f() }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestRaceOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := race(t.Context(), nil, nil, time.Second, nil); !errors.Is(err, errNoAddress) {
			t.Errorf("without an address: %v", err)
		}
	})
}

func TestInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		dial := fakeDialer(map[string]time.Duration{"a": -1, "b": 0, "c": 0}, []string{"b"}, &closed, func(string) {})
		begin := time.Now()
		if _, err := inTurn(t.Context(), dial, []string{"a", "b", "c"}, time.Second); err != nil || time.Since(begin) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		if _, err := inTurn(t.Context(), dial, nil, time.Second); !errors.Is(err, errNoAddress) {
			t.Errorf("without an address: %v", err)
		}
	})
}
