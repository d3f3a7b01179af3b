package tcppool

import (
	"fmt"
	"testing"
	"time"
)

func TestParseRequest(t *testing.T) {
	for line, want := range map[string]string{
		"7 300\n": "7 300ms", "0 0\n": "0 0s", " 12  5000 \r\n": "12 5s",
		"7\n": "", "7 300 1\n": "", "-1 5\n": "", "7 5001\n": "", "7 99999999999\n": "", "a b\n": "", "": "", "\x00 \xff\n": "",
	} {
		number, work, err := parseRequest([]byte(line))
		got := fmt.Sprint(number, " ", work)
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("7 300\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		number, work, err := parseRequest(line)
		if err == nil && (number < 0 || work < 0 || work > maxWork || work%time.Millisecond != 0) {
			t.Errorf("%q: %d %s", line, number, work)
		}
	})
}
