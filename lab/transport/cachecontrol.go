package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// directives reads the Cache-Control fields of a message (RFC 9111 section 5.2),
// names in lower case. Of one that is there twice the first counts.
func directives(h http.Header) map[string]string {
	all := map[string]string{}
	rest := strings.Join(h.Values("Cache-Control"), ",")
	for rest != "" {
		var one string
		one, rest = nextDirective(rest)
		name, value, _ := strings.Cut(one, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := all[name]; name != "" && !twice {
			all[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return all
}

// nextDirective cuts at the first comma that is not within quotes.
func nextDirective(text string) (one, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '\\' && quoted:
			i++
		case text[i] == ',' && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// deltaSeconds reads a number of seconds. What can't be read is 0: stale. What
// is too large is as good as for ever (RFC 9111 section 1.2.2).
func deltaSeconds(text string) time.Duration {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil && len(text) > 0 {
		n = 1<<31 - 1
	}
	return time.Duration(n) * time.Second
}

// region rules

// mayStore tells why a shared cache may not keep this response; empty: it may
// (RFC 9111 sections 3 and 3.5).
func mayStore(req *http.Request, resp *http.Response) (why string) {
	asked, said := directives(req.Header), directives(resp.Header)
	has := func(all map[string]string, name string) bool { _, ok := all[name]; return ok }
	switch {
	case resp.StatusCode != http.StatusOK:
		return "not a 200"
	case has(asked, "no-store"), has(said, "no-store"):
		return "no-store"
	case has(said, "private"):
		return "private"
	case has(fields(resp.Header), "*"):
		return "Vary: *"
	case req.Header.Get("Authorization") != "" &&
		!has(said, "public") && !has(said, "s-maxage") && !has(said, "must-revalidate"):
		return "not public"
	case lifetime(resp.Header) == 0 && resp.Header.Get("Etag") == "":
		return "neither fresh nor to be checked"
	}
	return ""
}

// lifetime is how long a response is fresh (RFC 9111 section 4.2.1). Without a
// word of the server it is 0: nothing is guessed.
func lifetime(h http.Header) time.Duration {
	said := directives(h)
	for _, name := range []string{"s-maxage", "max-age"} {
		if seconds, ok := said[name]; ok {
			return deltaSeconds(seconds)
		}
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(expires.Sub(date), 0)
}

// fields are the request's fields that a response depends on, by its Vary.
func fields(h http.Header) map[string]string {
	all := map[string]string{}
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				all[http.CanonicalHeaderKey(name)] = ""
			}
		}
	}
	return all
}

// sameFields tells whether a request says the same in the fields that a stored
// response depends on (RFC 9111 section 4.1).
func sameFields(said map[string]string, req *http.Request) bool {
	for name, value := range said {
		if value != field(req.Header, name) {
			return false
		}
	}
	return true
}

// endregion

// field is all that a message says in a field, in one line.
func field(h http.Header, name string) string {
	var parts []string
	for _, value := range h.Values(name) {
		parts = append(parts, strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(parts, ", ")
}
