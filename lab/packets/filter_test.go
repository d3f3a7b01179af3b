package packets_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
)

func TestFiltersLetThroughWhatTsharkShows(t *testing.T) {
	t.Parallel()
	file := saved(t, labtest.Run(t, theLab(t), link))
	pairs := map[string]string{
		"tcp":                          "tcp",
		"udp port domain":              "udp.port == 53",
		"port 53 or port 443":          "udp.port == 53 || tcp.port == 53 || tcp.port == 443",
		"tcp src port 443":             "tcp.srcport == 443",
		"not (tcp dst port http)":      "!(tcp.dstport == 80)",
		"src host 10.77.0.1 and tcp":   "ip.src == 10.77.0.1 && tcp",
		"host 10.77.0.2 && !udp":       "ip.addr == 10.77.0.2 && !udp",
		"greater 1000 and tcp port 80": "frame.len >= 1000 && tcp.port == 80",
		"less 60 || icmp":              "frame.len <= 60 || icmp",
		"ip6":                          "ipv6",
		"tcp or udp and port 53":       "(tcp || udp) && (udp.port == 53 || tcp.port == 53)",
		"tcp or not tcp and port 80":   "tcp.port == 80",
		"ip and not port 80":           "ip && !(tcp.port == 80)",
	}
	var order, shows []string
	for filter, show := range pairs {
		order, shows = append(order, filter), append(shows, show)
	}
	want := counts(t, file, shows)
	for i, filter := range order {
		r := send(t, file, url.Values{"filter": {filter}}.Encode())
		if got := r.Fact("filtered", "packets"); got != want[i] {
			t.Errorf("%q lets %g packets through, tshark shows %g of %q", filter, got, want[i], shows[i])
		}
	}
}

func TestABadFilterIsRefusedByName(t *testing.T) {
	t.Parallel()
	for filter, says := range map[string]string{
		"tcp port":                   "port wants a number",
		"port 70000":                 "up to 65535",
		"host example.org":           "not an IPv4 address",
		"tcp and":                    "ends too early",
		"(tcp":                       "a ) is missing",
		"tcp )":                      "one word too many",
		"ether proto 0x88cc":         "not understood",
		strings.Repeat("not ", 30):   "ends too early",
		strings.Repeat("(", 60):      "more than 40 words",
		strings.Repeat("tcp or ", 9): "ends too early",
	} {
		_, err := theLab(t).Parse(url.Values{"filter": {filter}})
		bad, ok := errors.AsType[*lab.ParamError](err)
		if !ok || bad.Field != "filter" || !strings.Contains(bad.Message, says) {
			t.Errorf("%q: %v, want it refused with %q", filter, err, says)
		}
	}
}
