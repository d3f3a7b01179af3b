package igdsim

import (
	"strings"
	"testing"
)

func FuzzCall(f *testing.F) {
	f.Add("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n")
	f.Add(`<s:Envelope><s:Body><u:A><NewPort>7</NewPort><B/></u:A></s:Body></s:Envelope>`)
	f.Add(`<!DOCTYPE a [<!ENTITY b "c">]><a><b><c><d>&b;</d></c></b></a>`)
	f.Add("<a><b><c><d>" + strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, input string) {
		if target, err := readSearch([]byte(input)); err == nil && !targets[target] {
			t.Errorf("answers to %q", target)
		}
		args, err := readCall(strings.NewReader(input))
		if err != nil {
			return
		}
		if len(args) > maxArgs {
			t.Errorf("%d arguments", len(args))
		}
		for name, value := range args {
			if len(value) > maxArg {
				t.Errorf("%s has %d bytes", name, len(value))
			}
		}
	})
}
