package dnslab_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"peerlab/guard"
	"peerlab/lab"
	dnslab "peerlab/lab/dns"
	"peerlab/lab/labtest"
	"peerlab/trace"
)

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, dnslab.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "delay=5&stay=0&pace=30&lookups=5") }

func networks() []string { return []string{"network=loopback", "network=link&delay=5"} }

// verdict is the sentence that a variant comes to.
func verdict(r *labtest.Running, variant string) (text, tone string) {
	for _, e := range r.Log.Events() {
		if is := e.Attrs[trace.VerdictAttr]; is != "" && e.From == variant {
			text, tone = e.Text, is
		}
	}
	return text, tone
}

func TestWhomToBelieve(t *testing.T) {
	t.Parallel()
	for _, network := range networks() {
		r := labtest.Run(t, theLab(t), network+"&part=trust&forged=30&wait=5000&stay=0")
		for name, want := range map[string][2]float64{
			"forged answers believed":                   {1, 0},
			"forged answers refused":                    {0, 30},
			"false names believed":                      {1, 0},
			"questions sent again":                      {0, 0},
			"answers from the cache":                    {0, 0},
			"big answer: records of 24":                 {10, 24},
			"questions by TCP after a truncated answer": {0, 1},
		} {
			if naive, careful := r.Fact("naive", name), r.Fact("careful", name); naive != want[0] || careful != want[1] {
				t.Errorf("%s: %s: %g and %g, want %v", network, name, naive, careful, want)
			}
		}
		if n := r.Fact("careful", "answers of 4 whose signatures hold"); n != 3 {
			t.Errorf("%s: %g of 4 answers are proven", network, n)
		}
		if text, tone := verdict(r, "naive"); tone != string(lab.Bad) || strings.Count(text, ";") != 3 {
			t.Errorf("%s: %s %s", network, tone, text)
		}
		if text, tone := verdict(r, "careful"); tone != string(lab.Good) {
			t.Errorf("%s: %s %s", network, tone, text)
		}
	}
}

func TestALargerDatagramHoldsAll(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "part=trust&datagram=4096&address=192.0.2.10&forged=0&stay=0")
	if n := r.Fact("naive", "big answer: records of 24"); n != 24 {
		t.Errorf("%g records in a datagram of up to 4096 bytes", n)
	}
	if n := r.Fact("careful", "questions by TCP after a truncated answer"); n != 0 {
		t.Errorf("%g questions by TCP", n)
	}
	if n := r.Fact("naive", "false names believed"); n != 0 {
		t.Error("192.0.2.10 is host.lab.test")
	}
}

func TestANameThatMoves(t *testing.T) {
	t.Parallel()
	for _, network := range networks() {
		r := labtest.Run(t, theLab(t), network+"&part=cache&ttl=1&lookups=30&pace=60&wait=5000&stay=0")
		if n := r.Fact("naive", "moved name: lookups with the old address"); n != 30 {
			t.Errorf("%s: %g lookups of 30 without regard for the TTL had the old address", network, n)
		}
		if n := r.Fact("naive", "questions sent"); n != 1 {
			t.Errorf("%s: the naive one sent %g questions", network, n)
		}
		// The time to live began before the move, so it covers less than a second after it.
		if n := r.Fact("careful", "moved name: lookups with the old address"); n > 1000/60 {
			t.Errorf("%s: %g lookups of 30 had the old address", network, n)
		}
		uncached := labtest.Run(t, theLab(t), network+"&part=cache&ttl=0&lookups=5&pace=0&wait=5000&stay=0")
		if n := uncached.Fact("careful", "questions sent"); n != 8 {
			t.Errorf("%s: %g questions for 8 lookups of what may not be kept", network, n)
		}
		within := labtest.Run(t, theLab(t), network+"&part=cache&ttl=60&lookups=5&pace=0&wait=5000&stay=0")
		for _, variant := range []string{"naive", "careful"} {
			if text, tone := verdict(within, variant); tone != string(lab.Good) {
				t.Errorf("%s: an address that may be kept for a minute: %s %s", network, tone, text)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, network := range networks() {
		r := labtest.Run(t, theLab(t), network+"&part=names&wait=5000&stay=0")
		for name, want := range map[string]float64{
			"short name: questions": 2, "www: aliases": 2, "www: may be kept": 30,
			"NXDOMAIN: may be kept": 5, "NXDOMAIN: questions for the second time": 0,
			"NODATA: may be kept": 5, "NODATA: questions for the second time": 0,
		} {
			if got := r.Fact("careful", name); got != want {
				t.Errorf("%s: %s: %g, want %g", network, name, got, want)
			}
		}
	}
	r := labtest.Run(t, theLab(t), "part=names&short=www.lab&ndots=5&stay=0")
	if n := r.Fact("careful", "short name: questions"); n != 4 {
		t.Errorf("%g questions with ndots 5", n)
	}
}

func TestTransportsTakeTheirRoundTrips(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		const rtt = 80
		r := labtest.Run(t, theLab(t), "network=link&delay=40&part=transports&wait=5000&stay=0")
		for over, trips := range map[string]float64{"UDP": 1, "TCP": 2, "TLS (DoT)": 3, "HTTPS (DoH)": 3} {
			if first := r.Fact("careful", over+": first answer"); first < trips*rtt || first > (trips+0.9)*rtt {
				t.Errorf("first answer by %s after %g ms, want %g round trips of %d", over, first, trips, rtt)
			}
			if second := r.Fact("careful", over+": second answer"); second < rtt || second > 1.9*rtt {
				t.Errorf("second answer by %s after %g ms", over, second)
			}
		}
	})
}

func TestPackageNet(t *testing.T) {
	t.Parallel()
	for _, network := range networks() {
		r := labtest.Run(t, theLab(t), network+"&part=package-net&stay=0")
		for name, want := range map[string]float64{
			"package net: questions for one name": 2, "package net: texts of 24": 24, "package net: connections by TCP": 1,
		} {
			if got := r.Fact("careful", name); got != want {
				t.Errorf("%s: %s: %g, want %g", network, name, got, want)
			}
		}
	}
}

func TestQuestionsAreSentAgainWhenTheyAreLost(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "network=link&delay=1&loss=30&seed=5&part=names&wait=60&tries=5&stay=0")
	if n := r.Fact("careful", "questions sent again"); n == 0 {
		t.Error("with 30 % loss no question was sent again")
	}
}

func TestParametersRefusedByName(t *testing.T) {
	for field, values := range map[string][]string{
		"name":    {"", "a..b", strings.Repeat("x", 64) + ".test", "a b", "a\\000b", "@x"},
		"search":  {"a..b", "a b c d e f g"},
		"servers": {"192.0.2.1:53", "a,b,c,d", "x y", "https://example.com/"},
		"address": {"", "host", "192.0.2", "fe80::1%eth0"},
		"real":    {"a..b", "user@example.com"},
	} {
		for _, value := range values {
			_, err := theLab(t).Parse(url.Values{field: {value}})
			if e, ok := errors.AsType[*lab.ParamError](err); !ok || e.Field != field {
				t.Errorf("%s=%q: %v; want it refused by name", field, value, err)
			}
		}
	}
	for field, value := range map[string]string{"servers": "9.9.9.9, 2620:fe::fe,dns.example", "address": "2001:db8::10", "name": "x"} {
		if _, err := theLab(t).Parse(url.Values{field: {value}}); err != nil {
			t.Errorf("%s=%s: %v", field, value, err)
		}
	}
}

// elsewhere is an outside dialer which takes 198.51.100.1 to a test's server and
// leaves all else to a guard.
type elsewhere struct{ port map[string]string }

func (e elsewhere) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if to, ok := e.port[address]; ok {
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:"+to)
	}
	return (&guard.Dialer{Policy: guard.Public}).DialContext(ctx, network, address)
}

// with runs the lab with an outside dialer and returns its record.
func with(t *testing.T, outside lab.Dialer, query string) *lab.Record {
	t.Helper()
	rn, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{theLab(t)}, Logger: slog.New(slog.DiscardHandler), Outside: outside})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rn.Close() })
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := rn.Start(netip.MustParseAddr("192.0.2.1"), "dns", values)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Watch())
	<-rec.Done()
	return rec
}

func TestOtherServersAreCompared(t *testing.T) {
	t.Parallel()
	// The other server is that of another run of the lab.
	other := labtest.Start(t, theLab(t), "part=names&stay=100&duration=60")
	dialer := elsewhere{map[string]string{"198.51.100.1:53": other.Live("careful.port")}}
	rec := with(t, dialer, "part=transports&servers=198.51.100.1,127.0.0.1,10.0.0.1,&wait=300&stay=0&name=www.lab.test")
	cells := map[string]string{}
	said := false
	for _, e := range rec.Log.Events() {
		if e.Kind == trace.State && strings.HasPrefix(e.From, "servers/") {
			cells[strings.TrimPrefix(e.From, "servers/")+" "+e.Name] = e.Text
		}
		said = said || e.Text == "All servers that answered say the same."
	}
	for cell, want := range map[string]string{
		"198.51.100.1 UDP":     "3 records",
		"198.51.100.1 TCP":     "3 records",
		"127.0.0.1 UDP":        "failed (connecting to 127.0.0.1 is not allowed here",
		"127.0.0.1 TLS (DoT)":  "failed (connecting to 127.0.0.1 is not allowed here",
		"10.0.0.1 HTTPS (DoH)": "failed (connecting to 10.0.0.1 is not allowed here",
	} {
		if !strings.HasPrefix(cells[cell], want) {
			t.Errorf("%s: %q, want %q", cell, cells[cell], want)
		}
	}
	if !said {
		t.Error("nothing about the answers being the same")
	}
}

func TestTheLinkHasNoWayOut(t *testing.T) {
	for field, value := range map[string]string{"servers": "9.9.9.9", "real": "example.com"} {
		_, err := theLab(t).Parse(url.Values{field: {value}, "network": {"link"}})
		if p, ok := errors.AsType[*lab.ParamError](err); !ok || p.Field != field || !strings.Contains(p.Message, "no way out") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
