package netsim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestKeysTakeWholeLinesOnce(t *testing.T) {
	var nobody *Keys
	if nobody.Log() != "" || nobody.session(&hellos{}) != nil {
		t.Error("no key log has keys")
	}
	k := &Keys{}
	good := "CLIENT_RANDOM " + strings.Repeat("01", 32) + " " + strings.Repeat("02", 48) + "\n"
	fmt.Fprintf(k, "%s%s# a comment\nCLIENT_RANDOM zz 00\nCLIENT_RANDOM 0102 00\nSERVER_TRAFFIC_SECRET_0 %s 0203\n", good, good, strings.Repeat("03", 32))
	want := good + "SERVER_TRAFFIC_SECRET_0 " + strings.Repeat("03", 32) + " 0203\n"
	if k.Log() != want {
		t.Errorf("the log is %q, want %q", k.Log(), want)
	}
	for i := range 2000 {
		fmt.Fprintf(k, "CLIENT_RANDOM %064x %096x\n", i, i)
	}
	if n := len(k.Log()); n > maxKeyLog || n < maxKeyLog/2 {
		t.Errorf("a log of %d bytes", n)
	}
}

// TestExpand holds the pseudorandom function to a vector that was published on
// the mailing list of the IETF's TLS working group, for P_SHA256.
func TestExpand(t *testing.T) {
	secret, _ := hex.DecodeString("9bbe436ba940f017b17652849a71db35")
	seed, _ := hex.DecodeString("a0ba9f936cda311827a6f796ffd5198c")
	want := "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
	if got := hex.EncodeToString(expand(sha256.New, secret, append([]byte("test label"), seed...), 32)); got != want {
		t.Errorf("expanded to %s, want %s", got, want)
	}
}
