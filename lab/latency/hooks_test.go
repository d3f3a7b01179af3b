package latency

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"testing"
	"testing/fstest"

	"golang.org/x/net/dns/dnsmessage"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/trace"
)

// inRun calls f in a run and returns the record.
func inRun(t *testing.T, f func(ctx context.Context, r *lab.Run) error) *labtest.Running {
	t.Helper()
	l, err := lab.New(lab.Info{
		Slug: "x", Title: "x", Chapter: "x", Ask: "x?", Files: fstest.MapFS{"lab.md": {Data: []byte("x")}},
	}, func(ctx context.Context, _ struct{}, r *lab.Run) error { return f(ctx, r) })
	if err != nil {
		t.Fatal(err)
	}
	return labtest.Run(t, l, "")
}

// TestHooksThatComeTooLate has a request get the connection of another one
// while its own is being made, and lets that be made when the request is over.
func TestHooksThatComeTooLate(t *testing.T) {
	release := make(chan struct{})
	first := true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/slow" {
			<-release
		}
	}))
	defer srv.Close()
	dialling, dial, dialled := make(chan struct{}), make(chan struct{}), make(chan struct{})
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		if first {
			first = false
			return d.DialContext(ctx, network, address)
		}
		hooks := httptrace.ContextClientTrace(ctx)
		hooks.ConnectStart(network, address)
		close(dialling)
		<-dial
		err := errors.New("too late")
		hooks.ConnectDone(network, address, err)
		hooks.TLSHandshakeStart()
		close(dialled)
		return nil, err
	}}
	defer transport.CloseIdleConnections()
	get := func(ctx context.Context, path string, hooks *httptrace.ClientTrace) error {
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, hooks), http.MethodGet, srv.URL+path, nil)
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	var res times
	var took map[phase]bool
	r := inRun(t, func(ctx context.Context, r *lab.Run) error {
		connected := make(chan struct{})
		r.Go(func(ctx context.Context) error {
			return get(ctx, "/slow", &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { close(connected) }})
		})
		<-connected
		r.Go(func(context.Context) error {
			<-dialling
			close(release)
			return nil
		})
		line := newTimeline(r, "request")
		if err := get(ctx, "/", line.hooks()); err != nil {
			return err
		}
		line.finish("done")
		before, _ := line.result()
		close(dial)
		<-dialled
		after, phases := line.result()
		if before != after {
			t.Errorf("changed after the end: %+v, then %+v", before, after)
		}
		res, took = after, map[phase]bool{}
		for p := range phases {
			took[p] = true
		}
		return nil
	})
	if !res.late || !res.reused || res.firstByte == 0 || took[connect] || took[tlsPhase] || !took[wait] {
		t.Errorf("%+v, phases %v", res, took)
	}
	ends := map[string]string{}
	spans := 0
	for _, e := range r.Log.Events() {
		if e.Kind == trace.Span {
			spans++
			ends[e.Name] = e.Text
		}
	}
	if spans != 2*len(ends) || ends["connect"] != "not needed: another connection became free" || ends["request"] != "done" {
		t.Errorf("%d events of spans, ends %q", spans, ends)
	}
}

func TestTwoAddressesTriedAtOnceAreTwoBars(t *testing.T) {
	r := inRun(t, func(_ context.Context, r *lab.Run) error {
		line := newTimeline(r, "request")
		h := line.hooks()
		h.ConnectStart("tcp", "[2001:db8::1]:443")
		h.ConnectStart("tcp", "192.0.2.1:443")
		h.ConnectStart("udp", "192.0.2.53:53") // a name server's, not ours
		h.ConnectDone("tcp", "192.0.2.1:443", nil)
		h.ConnectDone("udp", "192.0.2.53:53", nil)
		h.ConnectDone("tcp", "[2001:db8::1]:443", errors.New("operation was canceled"))
		h.ConnectDone("tcp", "[2001:db8::1]:443", nil) // twice does no harm
		line.finish("")
		return nil
	})
	if n := r.Count(func(e trace.Event) bool { return e.Kind == trace.Span && e.Name == "connect" }); n != 4 {
		t.Errorf("%d ends of bars, want 4", n)
	}
}

func FuzzAnswer(f *testing.F) {
	server := netip.MustParseAddr("10.77.0.1")
	for _, name := range []string{"server.lab.", "SERVER.lab.", "other.lab."} {
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{
				Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET,
			}}}
			packed, err := q.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packed)
			f.Add(packed[:14])
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, query []byte) {
		reply, asked := answer(query, server)
		if reply == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("to %x: %v", query, err)
		}
		if !m.Response || m.ID != uint16(query[0])<<8|uint16(query[1]) || asked == "" || len(reply) > 512 {
			t.Errorf("to %x: %+v", query, m)
		}
		if again, _ := answer(reply, server); again != nil {
			t.Error("an answer is answered")
		}
		for _, a := range m.Answers {
			if m.RCode != dnsmessage.RCodeSuccess || a.Header.Type != dnsmessage.TypeA {
				t.Errorf("to %x: %+v", query, m)
			}
		}
	})
}
