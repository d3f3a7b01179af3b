package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestICEServersFromJSONOrFile(t *testing.T) {
	const text = `[{"urls":["stun:a.example"]},{"urls":["turn:{host}:3479?transport=udp"]},{"urls":["turn:c"],"username":"u","credential":"p"}]`
	file := filepath.Join(t.TempDir(), "ice.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{text, file} {
		e, err := readICEServers(value, []byte("a long secret"))
		if err != nil {
			t.Fatal(err)
		}
		list, ttl := e.servers("peer", "[2001:db8::1]:8080")
		if ttl != credentialTTL || len(list) != 3 {
			t.Fatalf("got %d servers for %v", len(list), ttl)
		}
		if got := list[1].URLs[0]; got != "turn:[2001:db8::1]:3479?transport=udp" {
			t.Errorf("{host} became %q", got)
		}
		if !strings.HasSuffix(list[1].Username, ":peer") || list[1].Credential == "" {
			t.Errorf("no credential was made: %+v", list[1])
		}
		if list[0].Username != "" || list[2].Username != "u" {
			t.Errorf("a credential was put where none belongs: %+v", list)
		}
		if e.list[1].URLs[0] != "turn:{host}:3479?transport=udp" {
			t.Error("answering one peer changed the list for the next")
		}
	}
}

func TestBadICEServersAreExplained(t *testing.T) {
	for value, want := range map[string]string{
		`[]`:                      "0 entries",
		`[{]`:                     "JSON",
		`/nonexistent/file`:       "no such file",
		`[{"urls":[]}]`:           "urls is empty",
		`[{"urls":["http://a"]}]`: "stun:",
		`[{"urls":["turn://a"]}]`: "not like",
		`[{"urls":["turn:a"]}]`:   "turn-secret",
		`[{"urls":["stun:a","turn:a"],"username":"u"}]`: "entries of their own",
	} {
		_, err := readICEServers(value, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--ice-servers") {
			t.Errorf("%s: got %v, want a mention of %q", value, err, want)
		}
	}
}

func TestRelayIsOfferedWhereTheVisitorCanReachIt(t *testing.T) {
	relayIP := netip.MustParseAddr("192.168.1.5")
	for host, want := range map[string]string{
		"localhost:8080":    "192.168.1.5",
		"127.0.0.1:8080":    "192.168.1.5",
		"[::1]:8080":        "192.168.1.5",
		"":                  "192.168.1.5",
		"192.168.1.9:8080":  "192.168.1.9",
		"peer.example:8080": "peer.example",
	} {
		if got := reachable(netip.MustParseAddrPort("[::]:3478"), relayIP, host); got != want {
			t.Errorf("reachable(%q) = %q, want %q", host, got, want)
		}
	}
	one := netip.MustParseAddrPort("198.51.100.4:3478")
	if got := reachable(one, relayIP, "peer.example"); got != "198.51.100.4" {
		t.Errorf("a relay on one address must be offered by it, got %q", got)
	}
}
