package transport

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"peerlab/trace"
)

// api is what the flaky server answers.
type api struct {
	server
	p         Params
	elsewhere string // where a visitor finds the other server: host:port

	omu    sync.Mutex
	turns  map[string]int // requests so far, by what is asked and by whom
	down   bool
	orders []order
}

// order is one that was accepted.
type order struct {
	id    string // empty: a new one
	key   string
	bytes int
}

// region flaky

// fails tells whether this request is one of those that fail: so many, then
// one that works, and from the start again.
func (a *api) fails(x *exchange) bool {
	what := fmt.Sprint(x.visitor, x.method, x.key != "")
	a.omu.Lock()
	defer a.omu.Unlock()
	a.turns[what]++
	return a.turns[what]%(a.p.Fail+1) != 0
}

func (a *api) answer(x *exchange) answer {
	switch {
	case x.path == "/seen":
		return answer{status: http.StatusOK, text: a.report()}
	case a.isDown():
		return a.later(http.StatusServiceUnavailable, "out of order")
	case a.p.Strict && len(x.authorization) > 1:
		return answer{status: http.StatusBadRequest, text: "Authorization is there more than once"}
	case x.method == http.MethodPost && x.path == "/orders":
		a.book(x, order{key: x.key, bytes: len(x.body)})
		if a.fails(x) { // the order is in the book; the answer gets lost on its way
			return a.later(http.StatusGatewayTimeout, "no answer in time")
		}
		return answer{status: http.StatusCreated, text: "ordered"}
	case x.method == http.MethodPut && strings.HasPrefix(x.path, "/orders/"):
		if _, err := strconv.ParseUint(x.path[len("/orders/"):], 10, 16); err != nil {
			return answer{status: http.StatusNotFound, text: "an order has a number: /orders/7"}
		}
		if a.fails(x) {
			return a.later(http.StatusServiceUnavailable, "try again")
		}
		a.book(x, order{id: x.path, bytes: len(x.body)})
		return answer{status: http.StatusOK, text: fmt.Sprintf("an order of %d bytes", len(x.body))}
	case x.method != http.MethodGet && x.method != http.MethodHead:
		return answer{status: http.StatusMethodNotAllowed, header: map[string]string{"Allow": "GET, HEAD"}, text: "GET is all there is here"}
	}
	return a.get(x)
}

// get answers what can be read.
func (a *api) get(x *exchange) answer {
	public := func(text string, fresh int) answer {
		return answer{http.StatusOK, map[string]string{"Cache-Control": "public, max-age=" + strconv.Itoa(fresh)}, text}
	}
	switch x.path {
	case "/flaky":
		if a.fails(x) {
			return a.later(http.StatusServiceUnavailable, "try again")
		}
		return answer{status: http.StatusOK, text: "at last"}
	case "/status":
		return answer{http.StatusOK, map[string]string{"Cache-Control": "no-store"}, "up"}
	case "/me": // who wrote this forgot that it is private
		if x.user == "" {
			return answer{http.StatusUnauthorized, map[string]string{"Www-Authenticate": "Bearer"}, "a token, please"}
		}
		return answer{http.StatusOK, map[string]string{"Cache-Control": "max-age=60"}, "the page of " + x.user}
	case "/greeting":
		r := public("good day", 60)
		if strings.HasPrefix(x.language, "de") {
			r = public("guten Tag", 60)
		}
		r.header["Vary"] = "Accept-Language"
		return r
	case "/news":
		r := public("nothing new", int(a.p.Fresh.Seconds()))
		r.header["Etag"] = `"1"`
		if x.match == `"1"` {
			r.status = http.StatusNotModified
		}
		return r
	case "/moved":
		to := "elsewhere"
		if x.visitor {
			to = a.elsewhere
		}
		return answer{http.StatusFound, map[string]string{"Location": "http://" + to + "/landing"}, "over there"}
	}
	return answer{status: http.StatusNotFound, text: "there are /flaky /status /me /greeting /news /moved /orders and /seen"}
}

// endregion

// later is a failure that another attempt may cure.
func (a *api) later(status int, text string) answer {
	r := answer{status: status, header: map[string]string{"Cache-Control": "no-store"}, text: text}
	if a.p.After > 0 {
		r.header["Retry-After"] = strconv.Itoa(int(a.p.After.Seconds()))
	}
	return r
}

// book takes an order in; one with a key that is known is in already. Visitors'
// orders are not kept.
func (a *api) book(x *exchange, o order) {
	a.omu.Lock()
	defer a.omu.Unlock()
	known := o.key != "" && slices.ContainsFunc(a.orders, func(old order) bool { return old.key == o.key })
	if !x.visitor && !known && len(a.orders) < maxSeen {
		a.orders = append(a.orders, o)
	}
}

// booked are the orders that are in the book: those that came twice, and those
// with nothing in them.
func (a *api) booked() (again, empty int) {
	a.omu.Lock()
	defer a.omu.Unlock()
	posted := 0 // without a key: the client meant one
	for _, o := range a.orders {
		if o.id == "" && o.key == "" {
			posted++
		}
		if o.bytes == 0 {
			empty++
		}
	}
	return max(posted-1, 0), empty
}

func (a *api) setDown(down bool) {
	a.omu.Lock()
	defer a.omu.Unlock()
	a.down = down
	a.run.State(trace.HTTP, a.name, "server", map[bool]string{true: "503 to everything", false: "works"}[down])
}

func (a *api) isDown() bool {
	a.omu.Lock()
	defer a.omu.Unlock()
	return a.down
}

// report is the answer to /seen: all that came, a line each.
func (a *api) report() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := []string{"  no. from     request            Authorization    body  answer"}
	for _, x := range a.seen {
		from, tokens := "client", fmt.Sprintf("%d × %s", len(x.authorization), x.user)
		if x.visitor {
			from = "visitor"
		}
		if len(x.authorization) == 0 {
			tokens = "none"
		} else if x.user == "" {
			tokens = fmt.Sprintf("%d × ?", len(x.authorization))
		}
		lines = append(lines, fmt.Sprintf("%5d %-8s %-18s %-14s %4d B  %d", x.number, from, clip(x.method+" "+x.path), tokens, len(x.body), x.status))
	}
	return strings.Join(lines, "\n")
}

// clip makes what came from outside fit for a line of text.
func clip(text string) string {
	quoted := strconv.QuoteToASCII(text)
	return quoted[1 : min(len(quoted), 60)-1]
}

// landing is what the other server answers: it tells what reached it.
func landing(x *exchange) answer {
	text := "you are elsewhere, and no token came along"
	if n := len(x.authorization); n > 0 {
		text = fmt.Sprintf("you are elsewhere, and told me a token (%d lines of Authorization)", n)
	}
	return answer{http.StatusOK, map[string]string{"Cache-Control": "no-store"}, text}
}
