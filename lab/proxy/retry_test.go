package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// fake answers by upstream, and keeps what it was sent.
type fake struct {
	fail map[string]error
	sent []string
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	f.sent = append(f.sent, fmt.Sprintf("%s %s %.5s", r.URL.Host, r.Method, body))
	if err := f.fail[r.URL.Host]; err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func TestWhatIsSentAgain(t *testing.T) {
	refused, broken := fmt.Errorf("%w: refused", errDial), errors.New("broken off")
	large := strings.Repeat("x", maxHeld+1)
	for _, c := range []struct {
		method, body string
		fault        error
		again        bool
	}{
		{"GET", "", refused, true},
		{"POST", "hello", refused, true}, // nobody has seen it
		{"POST", large, refused, false},  // it is not all here any more
		{"GET", "", broken, true},
		{"PUT", "hello", broken, true},
		{"POST", "hello", broken, false}, // it may have been carried out
		{"PATCH", "hello", broken, false},
	} {
		f := &fake{fail: map[string]error{"one": c.fault}}
		b := &balancer{upstreams: []string{"one", "two"}, next: f, rest: time.Minute, back: map[string]time.Time{}}
		send := func() error {
			r, err := http.NewRequestWithContext(t.Context(), c.method, "http://site/", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := b.RoundTrip(r)
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		err := send()
		want := fmt.Sprintf("[one %s %.5s]", c.method, c.body)
		if c.again {
			want = fmt.Sprintf("[one %[1]s %.5[2]s two %[1]s %.5[2]s]", c.method, c.body)
		}
		if (err == nil) != c.again || fmt.Sprint(f.sent) != want {
			t.Errorf("%s of %d bytes, %v: sent %v, then %v", c.method, len(c.body), c.fault, f.sent, err)
		}
		if err != nil && !errors.Is(err, c.fault) {
			t.Errorf("%s: the fault is lost in %v", c.method, err)
		}
		// The one that failed rests, so the other one gets the next two.
		f.sent = nil
		if first, second := send(), send(); first != nil || second != nil || strings.Contains(fmt.Sprint(f.sent), "one") {
			t.Errorf("%s: after a failure: %v, %v, %v", c.method, f.sent, first, second)
		}
	}
}

func TestWhoHasGoneIsNobodysFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{fail: map[string]error{"one": context.Canceled}}
	b := &balancer{upstreams: []string{"one", "two"}, next: f, rest: time.Minute, back: map[string]time.Time{}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://site/", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := b.RoundTrip(r); !errors.Is(err, context.Canceled) || len(f.sent) != 1 || len(b.back) != 0 {
		t.Errorf("a client that has gone: %v, sent %v, resting %v", err, f.sent, b.back)
	}
}
