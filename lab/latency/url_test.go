package latency_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"peerlab/guard"
	"peerlab/lab"
	"peerlab/trace"
)

// elsewhere is an outside dialer that takes every name to one test server, and
// asks a guard about addresses.
type elsewhere struct{ to string }

func (e elsewhere) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil && host == "inside.example" {
		// What a hostile name server would say.
		d := guard.Dialer{Policy: guard.Public, Resolver: says{netip.MustParseAddr("169.254.169.254")}}
		return d.DialContext(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", e.to)
}

type says struct{ addr netip.Addr }

func (s says) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{s.addr}, nil
}

// outside runs the lab on a URL and returns its notes and facts.
func outside(t *testing.T, target, query string) (notes string, facts map[string]float64, lanes map[string]bool) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		for range 300 {
			w.Write(make([]byte, 10_000)) // it will be cut off
		}
	})
	mux.Handle("/there", http.RedirectHandler("/ok", http.StatusFound))
	mux.Handle("/private", http.RedirectHandler("http://10.0.0.1/", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.Handle("/inside", http.RedirectHandler("http://inside.example/", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	rn, err := lab.NewRunner(lab.Config{
		Labs: []*lab.Lab{theLab(t)}, Logger: slog.New(slog.DiscardHandler),
		Outside: elsewhere{srv.Listener.Addr().String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rn.Close()
	values, err := url.ParseQuery(query + "&stay=0&url=" + url.QueryEscape(target))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := rn.Start(netip.MustParseAddr("192.0.2.1"), "latency", values)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Watch()()
	select {
	case <-rec.Done():
	case <-time.After(60 * time.Second):
		t.Fatal("the run does not end")
	}
	if outcome, why, _ := rec.Status(); outcome != lab.Finished {
		t.Fatal(why)
	}
	facts, lanes = map[string]float64{}, map[string]bool{}
	for _, e := range rec.Log.Events() {
		switch e.Kind {
		case trace.Note:
			notes += e.Text + "\n"
		case trace.Fact:
			facts[e.From+" "+e.Name] = e.Value
		case trace.Span:
			lanes[e.From] = true
		}
	}
	return notes, facts, lanes
}

func TestAnotherURL(t *testing.T) {
	notes, facts, _ := outside(t, "http://example.com/ok", "warm=2&parallel=20")
	if !strings.Contains(notes, "HTTP/2 is chosen in the TLS handshake") {
		t.Errorf("nothing about HTTP/2 without TLS: %s", notes)
	}
	if facts["h1 answers"] != 5 { // one, two warm, and of the 20 at once two
		t.Errorf("facts %v", facts)
	}
}

func TestRedirectsAreFollowedAndChecked(t *testing.T) {
	for path, c := range map[string]struct {
		note    string
		answers float64
	}{
		"/there":   {"Status 302 leads to http://example.com/ok", 2},
		"/private": {"10.0.0.1 is a private one", 0},
		"/file":    {"neither https nor http", 0},
		"/inside":  {"connecting to inside.example is not allowed here: it leads to 169.254.169.254, a link-local address", 1},
		"/loop":    {"No more than 3 redirects", 4},
		"/big":     {"only the first 1000000 bytes", 1},
	} {
		notes, facts, lanes := outside(t, "http://example.com"+path, "warm=0&parallel=1&protocol=h1")
		if !strings.Contains(notes, c.note) || facts["h1 answers"] != c.answers {
			t.Errorf("%s: %v answers, %s", path, facts["h1 answers"], notes)
		}
		if path == "/there" && !lanes["h1/cold, redirect 1"] {
			t.Errorf("%s: lanes %v", path, lanes)
		}
	}
}

func TestTheLinkHasNoWayOut(t *testing.T) {
	_, err := theLab(t).Parse(url.Values{"url": {"https://example.com/"}, "network": {"link"}})
	if p, ok := errors.AsType[*lab.ParamError](err); !ok || p.Field != "url" || !strings.Contains(p.Message, "no way out") {
		t.Error(err)
	}
}
