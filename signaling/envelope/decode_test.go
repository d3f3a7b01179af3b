package envelope

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// valid has each message once, as it stands on the wire.
var valid = []struct {
	json string
	want Message
}{
	{`{"type":"join","v":1,"name":"Ada","kind":"browser"}`,
		&Join{Version: 1, Name: "Ada", Kind: Browser}},
	{`{"type":"join","v":1,"name":"Zoë 🦊","kind":"go","resume":"ab_C-9"}`,
		&Join{Version: 1, Name: "Zoë 🦊", Kind: Go, Resume: "ab_C-9"}},
	{`{"type":"signal","to":"p1","session":1,"description":{"type":"offer","sdp":"v=0\r\n"}}`,
		&Signal{To: "p1", Session: 1, Description: &Description{Type: "offer", SDP: "v=0\r\n"}}},
	{`{"type":"signal","from":"p1","session":2147483647,"candidate":{"candidate":""}}`,
		&Signal{From: "p1", Session: 1<<31 - 1, Candidate: &Candidate{}}},
	{`{"type":"signal","to":"p1","session":7,"candidate":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}}`,
		&Signal{To: "p1", Session: 7, Candidate: &Candidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", SDPMid: ptr("0"), SDPMLineIndex: ptr(uint16(0)), UsernameFragment: ptr("abcd")}}},
	{`{"type":"signal","to":"p1","session":7,"want":"ice-restart"}`,
		&Signal{To: "p1", Session: 7, Want: WantICERestart}},
	{`{"type":"signal","from":"p1","n":3,"session":7,"want":"new-session"}`,
		&Signal{From: "p1", N: 3, Session: 7, Want: WantNewSession}},
	{`{"type":"welcome","v":1,"room":"abc","self":{"id":"a","name":"A","kind":"go","order":1},"peers":[{"id":"b","name":"B","kind":"browser","order":2}],"iceServers":[{"urls":["stun:192.0.2.1:3478"]},{"urls":["turn:192.0.2.1:3478"],"username":"u","credential":"c"}],"iceTTL":600,"resume":"tok","resumed":false,"resumeWindow":30,"maxPeers":8}`,
		&Welcome{Version: 1, Room: "abc", Self: Peer{ID: "a", Name: "A", Kind: Go, Order: 1}, Peers: []Peer{{ID: "b", Name: "B", Kind: Browser, Order: 2}},
			ICEServers: []ICEServer{{URLs: []string{"stun:192.0.2.1:3478"}}, {URLs: []string{"turn:192.0.2.1:3478"}, Username: "u", Credential: "c"}},
			ICETTL:     600, Resume: "tok", ResumeWindow: 30, MaxPeers: 8}},
	{`{"type":"peer-joined","peer":{"id":"b","name":"B","kind":"browser","order":2}}`, &PeerJoined{Peer{ID: "b", Name: "B", Kind: Browser, Order: 2}}},
	{`{"type":"peer-joined","peer":{"id":"b","name":"B","kind":"browser","order":2,"nat":{"mapping":"none"}}}`,
		&PeerJoined{Peer{ID: "b", Name: "B", Kind: Browser, Order: 2, NAT: NAT{Mapping: "none"}}}},
	{`{"type":"welcome","v":1,"room":"abc","self":{"id":"a","name":"A","kind":"go","order":1},"peers":[],"iceServers":[],"iceTTL":0,"resume":"tok","resumed":true,"resumeWindow":30,"maxPeers":8,"natServers":["stun:192.0.2.1:3478","stun:192.0.2.1:3479"]}`,
		&Welcome{Version: 1, Room: "abc", Self: Peer{ID: "a", Name: "A", Kind: Go, Order: 1}, Peers: []Peer{}, ICEServers: []ICEServer{},
			Resume: "tok", Resumed: true, ResumeWindow: 30, MaxPeers: 8, NATServers: []string{"stun:192.0.2.1:3478", "stun:192.0.2.1:3479"}}},
	{`{"type":"peer-state","id":"b","state":"away"}`, &PeerState{ID: "b", State: "away"}},
	{`{"type":"peer-state","id":"b","state":"here","nat":{"mapping":"unknown"}}`, &PeerState{ID: "b", State: "here", NAT: NAT{Mapping: "unknown"}}},
	{`{"type":"nat","nat":{"mapping":"udp-blocked"}}`, &ShareNAT{NAT{Mapping: "udp-blocked"}}},
	{`{"type":"nat","nat":{"mapping":"endpoint-independent","filtering":"not-port-dependent"}}`,
		&ShareNAT{NAT{Mapping: "endpoint-independent", Filtering: "not-port-dependent"}}},
	{`{"type":"peer-left","id":"b","reason":"timeout"}`, &PeerLeft{"b", "timeout"}},
	{`{"type":"ice-servers","iceServers":[],"iceTTL":0}`, &ICEServers{ICEServers: []ICEServer{}}},
	{`{"type":"error","code":"room-full","message":"no place <here>","fatal":true}`, &Error{"room-full", "no place <here>", true}},
	{`{"type":"bye"}`, &Bye{}},
	{`{"type":"bye","reason":"shutdown"}`, &Bye{"shutdown"}},
}

func TestDecodeAndEncode(t *testing.T) {
	for _, c := range valid {
		got, err := Decode([]byte(c.json))
		if err != nil {
			t.Errorf("Decode(%s): %v", c.json, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("Decode(%s) = %+v, want %+v", c.json, got, c.want)
		}
		if back, err := Encode(got); err != nil || string(back) != c.json {
			t.Errorf("Encode = %s, %v, want %s", back, err, c.json)
		}
	}
}

func TestDecodeIsLenientWhereItMay(t *testing.T) {
	for name, text := range map[string]string{
		"unknown fields":    `{"type":"join","v":1,"name":"Ada","kind":"go","colour":{"deep":[1]}}`,
		"null for absent":   `{"type":"signal","to":"a","session":1,"want":"new-session","description":null,"candidate":null}`,
		"candidate of null": `{"type":"signal","to":"a","session":1,"candidate":{"candidate":"","sdpMid":null,"sdpMLineIndex":null}}`,
		"a repeated key":    `{"type":"bye","type":"bye"}`,
		"64 characters":     `{"type":"join","v":1,"kind":"go","name":"` + strings.Repeat("é", 64) + `"}`,
	} {
		if _, err := Decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	long := strings.Repeat("x", 300)
	signal := func(rest string) string { return `{"type":"signal","to":"a","session":1,` + rest + `}` }
	welcome := func(old, new string) string {
		for _, c := range valid {
			if _, ok := c.want.(*Welcome); ok {
				return strings.Replace(c.json, old, new, 1)
			}
		}
		return ""
	}
	for _, c := range []struct{ in, want string }{
		{``, "the message is not JSON: unexpected end of JSON input"},
		{`{"type":"bye"} x`, "the message is not JSON: invalid character 'x' after top-level value"},
		{"{\"type\":\"bye\xff\"}", "the message is not JSON: it is not UTF-8"},
		{strings.Repeat("[", 20000), "the message is not JSON: invalid character '[' exceeded max depth"},
		{`[]`, "the message has the wrong type (array)"},
		{`null`, "type is missing"},
		{`{"type":7}`, "type has the wrong type (number)"},
		{`{"type":"hello"}`, `unknown message type "hello"`},
		{`{"type":"` + long + `"}`, `unknown message type "` + long[:40] + `"`},
		{`{"type":"join","name":"A","kind":"go"}`, "join: v is missing"},
		{`{"type":"join","v":"1","name":"A","kind":"go"}`, "join: v is not a whole number"},
		{`{"type":"join","v":1.5,"name":"A","kind":"go"}`, "join: v is not a whole number"},
		{`{"type":"join","v":2,"name":{"first":"A"}}`, "this is version 1 of the protocol: join.v is 2"},
		{`{"type":"join","v":1,"kind":"go"}`, "join: name is missing"},
		{`{"type":"join","v":1,"name":"","kind":"go"}`, "join: name is missing"},
		{`{"type":"join","v":1,"name":7,"kind":"go"}`, "join: name has the wrong type (number)"},
		{`{"type":"join","v":1,"name":"a\u0007","kind":"go"}`, "join: name contains a control character"},
		{`{"type":"join","v":1,"kind":"go","name":"` + strings.Repeat("é", 65) + `"}`, "join: name is longer than 64 characters"},
		{`{"type":"join","v":1,"name":"A"}`, "join: kind is missing"},
		{`{"type":"join","v":1,"name":"A","kind":"cat"}`, "join: kind is not browser or go"},
		{`{"type":"join","v":1,"name":"A","kind":"go","resume":"` + long + `"}`, "join: resume is longer than 128 bytes"},
		{`{"type":"join","v":1,"name":"A","kind":"go","resume":"a b"}`, "join: resume has other characters than letters, digits, - and _"},
		{`{"type":"signal","session":1,"want":"ice-restart"}`, "signal: to is missing"},
		{`{"type":"signal","to":"a","from":"b","session":1,"want":"ice-restart"}`, "signal: from is given together with to"},
		{`{"type":"signal","to":"` + long + `","session":1,"want":"ice-restart"}`, "signal: to is longer than 64 bytes"},
		{`{"type":"signal","from":"a","n":-1,"session":1,"want":"ice-restart"}`, "signal: n is negative"},
		{`{"type":"signal","to":"a","want":"ice-restart"}`, "signal: session is missing or below 1"},
		{`{"type":"signal","to":"a","session":-4,"want":"ice-restart"}`, "signal: session is missing or below 1"},
		{`{"type":"signal","to":"a","session":2147483648,"want":"ice-restart"}`, "signal: session has the wrong type (number 2147483648)"},
		{signal(`"other":1`), "signal: description, candidate or want is missing"},
		{signal(`"want":"ice-restart","candidate":{"candidate":""}`), "signal: description, candidate and want exclude each other"},
		{signal(`"want":"coffee"`), "signal: want is not ice-restart or new-session"},
		{signal(`"description":"v=0"`), "signal: description has the wrong type (string)"},
		{signal(`"description":{"sdp":"v=0"}`), "signal: description.type is missing"},
		{signal(`"description":{"type":"rollback","sdp":"v=0"}`), "signal: description.type is not offer or answer"},
		{signal(`"description":{"type":"offer","sdp":"hello"}`), "signal: description.sdp does not start with v=0"},
		{signal(`"description":{"type":"offer","sdp":"v=0` + strings.Repeat("x", MaxSDP) + `"}`), "signal: description.sdp is longer than 49152 bytes"},
		{signal(`"candidate":{"sdpMid":"0"}`), "signal: candidate.candidate is missing"},
		{signal(`"candidate":{"candidate":"` + strings.Repeat("x", MaxCandidate+1) + `"}`), "signal: candidate.candidate is longer than 2048 bytes"},
		{signal(`"candidate":{"candidate":"","sdpMid":"` + long + `"}`), "signal: candidate.sdpMid is longer than 256 bytes"},
		{signal(`"candidate":{"candidate":"","sdpMid":3}`), "signal: candidate.sdpMid has the wrong type (number)"},
		{signal(`"candidate":{"candidate":"","sdpMLineIndex":70000}`), "signal: candidate.sdpMLineIndex has the wrong type (number 70000)"},
		{signal(`"candidate":{"candidate":"","usernameFragment":"` + long + `"}`), "signal: candidate.usernameFragment is longer than 256 bytes"},
		{welcome(`"v":1`, `"v":3`), "this is version 1 of the protocol: welcome.v is 3"},
		{welcome(`"room":"abc"`, `"room":""`), "welcome: room is missing"},
		{welcome(`"id":"b"`, `"id":""`), "welcome: peers[0].id is missing"},
		{welcome(`"resumed":false,`, ``), "welcome: resumed is missing"},
		{welcome(`"resume":"tok",`, ``), "welcome: resume is missing"},
		{welcome(`"maxPeers":8`, `"maxPeers":0`), "welcome: maxPeers is missing or below 1"},
		{welcome(`["stun:192.0.2.1:3478"]`, `[]`), "welcome: iceServers[0].urls is missing"},
		{`{"type":"ice-servers","iceTTL":3}`, "ice-servers: iceServers is missing"},
		{`{"type":"ice-servers","iceServers":[],"iceTTL":-3}`, "ice-servers: iceTTL is negative"},
		{`{"type":"peer-joined"}`, "peer-joined: peer.id is missing"},
		{`{"type":"peer-state","id":"b","state":"asleep"}`, "peer-state: state is not away or here"},
		{`{"type":"peer-state","id":"b","state":"here","nat":{"mapping":"bouncy"}}`, "peer-state: nat.mapping is not endpoint-independent or address-dependent or address-and-port-dependent or not-port-dependent or none or udp-blocked or unknown"},
		{`{"type":"peer-joined","peer":{"id":"b","name":"B","kind":"browser","order":2,"nat":{"filtering":"address-dependent"}}}`, "peer-joined: peer.nat.mapping is missing"},
		{`{"type":"nat"}`, "nat: nat.mapping is missing"},
		{`{"type":"nat","nat":"symmetric"}`, "nat: nat has the wrong type (string)"},
		{`{"type":"nat","nat":{"mapping":"none","filtering":"none"}}`, "nat: nat.filtering is not endpoint-independent or address-dependent or address-and-port-dependent or not-port-dependent"},
		{welcome(`"maxPeers":8`, `"maxPeers":8,"natServers":["`+strings.Repeat("x", 1025)+`"]`), "welcome: natServers[0] is longer than 1024 bytes"},
		{welcome(`"maxPeers":8`, `"maxPeers":8,"natServers":[`+strings.Repeat(`"",`, 16)+`""]`), "welcome: natServers has more than 16 entries"},
		{`{"type":"peer-left","id":"b"}`, "peer-left: reason is missing"},
		{`{"type":"error","code":"x","message":""}`, "error: fatal is missing"},
	} {
		_, err := Decode([]byte(c.in))
		if err == nil || err.Error() != c.want {
			t.Errorf("Decode(%.120s)\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	pad := strings.Repeat(" ", MaxSize-len(`{"type":"bye"}`))
	if _, err := Decode([]byte(`{"type":"bye"}` + pad)); err != nil {
		t.Errorf("64 KiB: %v", err)
	}
	if _, err := Decode([]byte(`{"type":"bye"}` + pad + " ")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte more: %v, want ErrTooLarge", err)
	}
	// The largest description of printable characters passes through.
	sdp := "v=0" + strings.Repeat("<&>", (MaxSDP-3)/3)
	data, err := Encode(&Signal{From: "a", Session: 1, Description: &Description{"offer", sdp}})
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if m, err := Decode(data); err != nil || m.(*Signal).Description.SDP != sdp {
		t.Errorf("a large description did not survive: %v", err)
	}
	// One that grows beyond the frame is refused, not sent.
	sdp = "v=0" + strings.Repeat("\x01", MaxSDP-3)
	if _, err := Encode(&Signal{From: "a", Session: 1, Description: &Description{"offer", sdp}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Encode: %v, want ErrTooLarge", err)
	}
}

func TestWhoOffers(t *testing.T) {
	older, newer := Peer{Kind: Browser, Order: 1}, Peer{Kind: Browser, Order: 2}
	oldGo, newGo := Peer{Kind: Go, Order: 3}, Peer{Kind: Go, Order: 4}
	for _, c := range []struct{ offerer, other Peer }{
		{newer, older}, {newGo, oldGo}, {older, oldGo}, {newer, newGo},
	} {
		if !c.offerer.Offers(c.other) || c.other.Offers(c.offerer) {
			t.Errorf("%+v should offer to %+v, and not the other way round", c.offerer, c.other)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range valid {
		f.Add([]byte(c.json))
	}
	f.Add([]byte(`{"type":"signal","to":"a","session":1,"candidate":{"Candidate":"x","candidate":"\ud800\u2028<"}}`))
	f.Add([]byte(`{"type":"welcome","v":1,"peers":null}`))
	f.Add([]byte(`{"type":"join","v":1e0,"name":"\u0000"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			if len(err.Error()) > 512 {
				t.Errorf("an answer of %d bytes", len(err.Error()))
			}
			return
		}
		out, err := Encode(m)
		if errors.Is(err, ErrTooLarge) {
			return // its characters take more room as we write them
		}
		if err != nil {
			t.Fatalf("Encode(%+v): %v", m, err)
		}
		again, err := Decode(out)
		if err != nil {
			t.Fatalf("Decode(Encode(%+v)): %v", m, err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}
