package transport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// The two ways to write the layers.
const (
	naive   = "naive"
	careful = "careful"
)

// stage is one of the ways: a client with its layers, and two servers.
type stage struct {
	run       *lab.Run
	p         Params
	name      string
	order     []string
	api       *api
	elsewhere *server
	client    *http.Client
	onlooker  *onlooker
	dialled   atomic.Int64 // connections to api
	tokens    map[string]string
	*tally
}

// openStage opens the servers and puts the client's layers together.
func openStage(p Params, run *lab.Run, name string) (*stage, error) {
	order, err := parseOrder(p.Order)
	if err != nil {
		return nil, err
	}
	s := &stage{run: run, p: p, name: name, order: order, onlooker: newOnlooker(run, order), tally: &tally{}, tokens: map[string]string{}}
	users := map[string]string{} // by what stands in Authorization
	for _, user := range []string{"alice", "bob"} {
		s.tokens[user] = user + "-" + rand.Text()[:8]
		users["Bearer "+s.tokens[user]] = user
	}
	host := map[string]*lab.Host{}
	for _, lane := range []string{"client", "api", "elsewhere"} {
		if host[lane], err = run.Host(lane); err != nil {
			return nil, err
		}
	}
	s.elsewhere = &server{run: run, name: "elsewhere", routes: landing}
	at, err := s.elsewhere.serve(host["elsewhere"], users)
	if err != nil {
		return nil, err
	}
	s.api = &api{p: p, elsewhere: at.String(), turns: map[string]int{}}
	s.api.server = server{run: run, name: "api", routes: s.api.answer}
	if at, err = s.api.serve(host["api"], users); err != nil {
		return nil, err
	}
	run.Live("url", "http://"+at.String())
	run.State(trace.HTTP, "client", "layers", cmp.Or(strings.Join(order, " "), "none"))
	s.api.setDown(false)
	s.client = &http.Client{Transport: s.assemble(host["client"]), Timeout: 20 * time.Second}
	return s, nil
}

// region assemble

// assemble is the chain of this stage: a transport, and the layers around it in
// the order of the parameters, each watched.
func (s *stage) assemble(host *lab.Host) http.RoundTripper {
	transport := &http.Transport{DialContext: func(ctx context.Context, net, addr string) (net.Conn, error) {
		if addr == "api:80" {
			s.dialled.Add(1)
		}
		return host.DialContext(ctx, net, addr)
	}}
	build := s.carefulLayers()
	if s.name == naive {
		maps.Copy(build, s.naiveLayers())
	}
	layers := []layer{s.onlooker.entrance}
	for i, name := range s.order {
		layers = append(layers, s.onlooker.around(s.onlooker.names[i], build[name]))
	}
	wire := s.onlooker.around(network, func(next http.RoundTripper) http.RoundTripper { return s.drawn(next) })
	return chain(transport, append(layers, wire))
}

func (s *stage) carefulLayers() map[string]layer {
	return map[string]layer{
		logging:  func(next http.RoundTripper) http.RoundTripper { return &logger{next, s.run.Note} },
		retrying: func(next http.RoundTripper) http.RoundTripper { return &retry{next, s.p.Attempts, s.p.Pause} },
		authing:  func(next http.RoundTripper) http.RoundTripper { return &auth{next, "http://api:80", s.token} },
		caching:  func(next http.RoundTripper) http.RoundTripper { return &cache{next, &store{show: s.showKept}} },
		breaking: func(next http.RoundTripper) http.RoundTripper {
			s.showBreaker(closed, 0)
			return &breaker{next: next, threshold: s.p.Threshold, cooldown: s.p.Cooldown, changed: s.showBreaker, state: closed}
		},
	}
}

// naiveLayers are those that the naive chain has instead.
func (s *stage) naiveLayers() map[string]layer {
	return map[string]layer{
		retrying: func(next http.RoundTripper) http.RoundTripper { return &naiveRetry{next, s.p.Attempts} },
		authing:  func(next http.RoundTripper) http.RoundTripper { return &naiveAuth{next, s.token} },
		caching: func(next http.RoundTripper) http.RoundTripper {
			return &naiveCache{next: next, show: s.showKept, kept: map[string]naivelyKept{}}
		},
	}
}

// endregion

func (s *stage) token(user string) string { return s.tokens[user] }

func (s *stage) showKept(what, how string) { s.run.State(trace.HTTP, "cache", what, how) }

func (s *stage) showBreaker(state string, failures int) {
	s.run.State(trace.HTTP, "breaker", "state", state)
	s.run.State(trace.HTTP, "breaker", "failures in a row", fmt.Sprint(failures))
	s.run.Sample(trace.HTTP, "breaker", "failures in a row", float64(failures), "failures")
}

// drawn draws what goes over the network.
func (s *stage) drawn(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		host := req.URL.Hostname()
		if host != "elsewhere" {
			host = "api"
		}
		tokens := len(req.Header["Authorization"])
		text := fmt.Sprintf("%d × Authorization", tokens)
		s.run.Message(trace.HTTP, "client", host, req.Method+" "+req.URL.Path, text)
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		if tokens > 1 || tokens == 1 && host == "elsewhere" {
			remark(req, "%d with %d × Authorization", resp.StatusCode, tokens)
		}
		s.run.Message(trace.HTTP, host, "client", resp.Status, resp.Header.Get("Cache-Control"))
		return resp, nil
	})
}

// wish is a request that somebody wants answered.
type wish struct {
	method, path string // GET if not told
	user         string // whose it is; nobody's if empty
	header       map[string]string
	body         string
	want         string // the right answer, if there is only one
}

// region ask

// ask has a request answered by way of all layers, and compares the request
// with what it was before: a layer may not have changed it.
func (s *stage) ask(ctx context.Context, w wish) (status int, text string, err error) {
	var body io.Reader
	if w.body != "" {
		body = strings.NewReader(w.body) // of known length, and GetBody is set
	}
	method := w.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(as(ctx, w.user), method, "http://api"+w.path, body)
	if err != nil {
		return 0, "", fmt.Errorf("request: %w", err)
	}
	for name, value := range w.header {
		req.Header.Set(name, value)
	}
	if body != nil && s.p.Body == "stream" { // as one that is being made: no length is known
		req.ContentLength = -1
	}
	before := req.Header.Clone()
	resp, err := s.client.Do(req)
	changed := !maps.EqualFunc(before, req.Header, slices.Equal)
	if err == nil {
		var got []byte
		got, err = io.ReadAll(io.LimitReader(resp.Body, maxKept))
		resp.Body.Close()
		status, text = resp.StatusCode, string(bytes.TrimSpace(got))
	}
	if ctx.Err() != nil {
		s.onlooker.answered(outcomeOf(ctx, nil, ctx.Err()), false)
		return 0, "", ctx.Err()
	}
	wrong := s.take(w, changed, s.api.isDown(), status, text, err)
	s.onlooker.answered(cmp.Or(text, outcomeOf(ctx, resp, err)), wrong)
	if err != nil && !errors.Is(err, errOpen) {
		s.run.Note("%s %s failed: %v", method, w.path, err)
	}
	return status, text, err
}

// endregion
