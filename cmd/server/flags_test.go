package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func noEnv(string) string { return "" }

func TestFlagsRefuseNonsenseByName(t *testing.T) {
	for _, args := range [][]string{
		{"--max-peers", "1"},
		{"--max-peers", "many"},
		{"--max-runs", "0"},
		{"--max-runs", "201"},
		{"--max-runs-each", "0"},
		{"--relay-ports", "50000"},
		{"--relay-ports", "2000-1000"},
		{"--relay-ports", "1-100"},
		{"--relay-ip", "::1"},
		{"--relay-ip", "0.0.0.0"},
		{"--relay-ip", "224.0.0.1"},
		{"--addr", "8080"},
		{"--turn-addr", ""},
		{"--stun-alt-addr", "3479"},
		{"--turn-peers", "everyone"},
		{"--labs-on", "everywhere"},
		{"--turn-secret", "short"},
		{"--public-url", "ftp://example.org"},
		{"--public-url", "https://example.org/path"},
		{"--trusted-proxies", "10.0.0.1"},
		{"--log-level", "loud"},
		{"--nonsense"},
	} {
		_, err := parseFlags(args, noEnv, &bytes.Buffer{})
		if err == nil {
			t.Errorf("%v: accepted", args)
			continue
		}
		if !strings.Contains(err.Error(), strings.TrimPrefix(args[0], "--")) {
			t.Errorf("%v: the error does not name the flag: %v", args, err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: the error is more than one line: %v", args, err)
		}
	}
}

func TestFlagsComeFromTheEnvironmentToo(t *testing.T) {
	env := map[string]string{"PEERLAB_MAX_PEERS": "5", "PEERLAB_TURN_ADDR": "off", "PEERLAB_UPNP": "true"}
	f, err := parseFlags([]string{"--turn-addr", ":9"}, func(k string) string { return env[k] }, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if f.MaxPeers != 5 || !f.UPnP {
		t.Errorf("the environment was not read: %+v", f)
	}
	if f.TurnAddr != ":9" {
		t.Errorf("the command line must win: got %q", f.TurnAddr)
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	var out bytes.Buffer
	_, err := parseFlags([]string{"--help"}, noEnv, &out)
	if !errors.Is(err, errHelp) {
		t.Fatalf("got %v, want errHelp", err)
	}
	for _, name := range []string{"addr", "public-url", "turn-addr", "stun-alt-addr", "relay-ip", "relay-ports", "turn-secret", "turn-peers",
		"ice-servers", "upnp", "stun-servers", "max-peers", "max-runs", "max-runs-each", "labs-on", "capture", "allowed-hosts", "trusted-proxies", "log-level", "log-format"} {
		if !strings.Contains(out.String(), "--"+name) {
			t.Errorf("--help does not mention --%s", name)
		}
	}
}
