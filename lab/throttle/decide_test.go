package throttle

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// ask sends one request through the handler.
func ask(h http.Handler) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Result()
}

func limited(t *testing.T, p Params, variant string) http.Handler {
	t.Helper()
	all, err := newLimiters(p, variant, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	return limit(all, func(*http.Request) string { return "me" }, func(decision) {}, ok)
}

func TestWhoComesWhenRetryAfterSaysIsLetThrough(t *testing.T) {
	for _, refill := range []float64{0.5, 0.7, 1, 3, 50} {
		synctest.Test(t, func(t *testing.T) {
			h := limited(t, Params{Rate: refill, Burst: 3, Keep: 4}, perClient)
			for range 3 {
				if resp := ask(h); resp.StatusCode != http.StatusOK {
					t.Fatalf("within the burst: %s", resp.Status)
				}
			}
			for range 5 { // being refused costs nothing
				resp := ask(h)
				seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
				if resp.StatusCode != http.StatusTooManyRequests || err != nil || seconds < 1 {
					t.Fatalf("beyond it: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
				}
				time.Sleep(time.Duration(seconds) * time.Second)
				for range max(1, min(3, int(refill*float64(seconds)))) {
					if resp := ask(h); resp.StatusCode != http.StatusOK {
						t.Fatalf("%v/s, %d s later: %s", refill, seconds, resp.Status)
					}
				}
				for ask(h).StatusCode == http.StatusOK {
				}
			}
		})
	}
}

func TestRequestsAtTheSameTimeGetTheBurstAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time stands still
		h := limited(t, Params{Rate: 1, Burst: 10, Keep: 4}, perClient)
		var wg sync.WaitGroup
		var mu sync.Mutex
		let := 0
		for range 100 {
			wg.Go(func() {
				if ask(h).StatusCode == http.StatusOK {
					mu.Lock()
					let++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if let != 10 {
			t.Errorf("%d let through, the bucket has 10", let)
		}
	})
}

func TestWriterKeepsTheRateAndTheChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		w := &writer{
			ctx: t.Context(), limiter: rate.NewLimiter(1000, 300), flush: func() error { return nil },
			to: writerFunc(func(p []byte) (int, error) { sizes = append(sizes, len(p)); return len(p), nil }),
		}
		w.limiter.AllowN(time.Now(), 300)
		begin := time.Now()
		if n, err := w.Write(make([]byte, 2500)); n != 2500 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if took := time.Since(begin).Round(time.Millisecond); took != 2500*time.Millisecond {
			t.Errorf("2500 bytes at 1000 a second took %s", took)
		}
		for _, n := range sizes {
			if n > 300 {
				t.Errorf("written %v at a time, the bucket has 300", sizes)
			}
		}
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestForgedBucketsEndSomewhere(t *testing.T) {
	all, err := newLimiters(Params{Rate: 1, Burst: 1}, forwarded, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := range maxForged + 10 {
		req.Header.Set("X-Forwarded-For", strconv.Itoa(i))
		all.of("me", req)
	}
	if n := all.kept(); n != maxForged {
		t.Errorf("%d buckets kept", n)
	}
}
