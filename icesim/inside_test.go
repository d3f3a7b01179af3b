package icesim_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v3"

	"peerlab/icesim"
	"peerlab/need"
	"peerlab/netsim"
)

// told is what the tap of a net saw of two peers that opened a data channel,
// and its keys.
type told struct {
	mu      sync.Mutex
	packets []netsim.Packet
	keys    netsim.Keys
}

// openChannel lets two peers on a net open a channel and say one thing, directly
// or by the relay.
func openChannel(t *testing.T, link netsim.Link, relayed bool) *told {
	t.Helper()
	seen := &told{}
	n, err := netsim.New(netsim.Config{Link: link, Keys: &seen.keys, Tap: func(p netsim.Packet) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.packets = append(seen.packets, p)
	}})
	must(t, err)
	config := webrtc.Configuration{}
	if relayed {
		config.ICETransportPolicy = webrtc.ICETransportPolicyRelay
		config.ICEServers = []webrtc.ICEServer{relay(t, n)}
	}
	a, b := peerOn(t, n, "a", config, &seen.keys), peerOn(t, n, "b", config, &seen.keys)
	defer n.Close()
	defer b.Close()
	defer a.Close()
	dc, err := a.CreateDataChannel("chat", nil)
	must(t, err)
	heard := make(chan string, 1)
	b.OnDataChannel(func(dc *webrtc.DataChannel) {
		dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- string(m.Data) })
	})
	dc.OnOpen(func() { _ = dc.SendText("what nobody on the way can read") })
	offer, err := a.CreateOffer(nil)
	must(t, err)
	must(t, b.SetRemoteDescription(gathered(t, a, offer)))
	answer, err := b.CreateAnswer(nil)
	must(t, err)
	must(t, a.SetRemoteDescription(gathered(t, b, answer)))
	select {
	case <-heard:
	case <-time.After(30 * time.Second):
		t.Fatal("no message came")
	}
	return seen
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func relay(t *testing.T, n *netsim.Net) webrtc.ICEServer {
	t.Helper()
	h, err := n.Host("turn")
	must(t, err)
	server, err := icesim.NewServer(h, nil)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Run(ctx) })
	t.Cleanup(func() { cancel(); serving.Wait() })
	user, password := server.Credentials("peer")
	return webrtc.ICEServer{URLs: []string{"turn:" + server.Addr().String() + "?transport=udp"}, Username: user, Credential: password}
}

func peerOn(t *testing.T, n *netsim.Net, name string, config webrtc.Configuration, keys *netsim.Keys) *webrtc.PeerConnection {
	t.Helper()
	h, err := n.Host(name)
	must(t, err)
	s := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}}
	s.SetNet(icesim.NewNet(h))
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetRelayAcceptanceMinWait(0)
	s.SetDTLSKeyLogWriter(keys)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(config)
	must(t, err)
	return pc
}

// gathered is a description with all its candidates.
func gathered(t *testing.T, pc *webrtc.PeerConnection, d webrtc.SessionDescription) webrtc.SessionDescription {
	t.Helper()
	all := webrtc.GatheringCompletePromise(pc)
	must(t, pc.SetLocalDescription(d))
	<-all
	return *pc.LocalDescription()
}

// inOrder tells whether packets of these layers and summaries were seen, each
// after the one before it.
func inOrder(t *testing.T, packets []netsim.Packet, want ...string) {
	t.Helper()
	at := 0
	for _, w := range want {
		for ; at < len(packets); at++ {
			if strings.HasPrefix(packets[at].Layer+" "+packets[at].Summary, w) {
				break
			}
		}
		if at == len(packets) {
			for _, p := range packets {
				t.Logf("%s → %s: %s %s", p.From, p.To, p.Layer, p.Summary)
			}
			t.Fatalf("no %q where it should be", w)
		}
	}
}

func TestTheTapSeesInside(t *testing.T) {
	seen := openChannel(t, netsim.Link{Delay: 2 * time.Millisecond}, false)
	inOrder(t, seen.packets, "ice Binding request", "ice Binding success 10.77.0.",
		"dtls ClientHello", "dtls HelloVerifyRequest", "dtls ClientHello", "dtls ServerHello, Certificate", "dtls Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished",
		"dtls ChangeCipherSpec, Finished", "sctp SCTP INIT", "sctp SCTP INIT ACK", "sctp SCTP COOKIE ECHO", "sctp SCTP COOKIE ACK",
		`sctp SCTP channel `, "sctp SCTP I-DATA")
	i := slices.IndexFunc(seen.packets, func(p netsim.Packet) bool { return p.Attrs["payload"] != "" && p.Layer == "sctp" })
	if p := seen.packets[i]; p.Attrs["payload"] != "what nobody on the way can read" || p.Attrs["opened"] == "" {
		t.Errorf("the message is %v", p.Attrs)
	}
}

func TestTheTapSeesInsideOfWhatIsRelayed(t *testing.T) {
	seen := openChannel(t, netsim.Link{Delay: 2 * time.Millisecond}, true)
	inOrder(t, seen.packets, "turn Allocate request", "turn Allocate error 401", "turn Allocate success", "turn CreatePermission request",
		"turn Send indication: Binding request", "turn ChannelBind request")
	for _, inside := range []string{"ClientHello", "SCTP INIT", "SCTP I-DATA"} {
		relayed := slices.ContainsFunc(seen.packets, func(p netsim.Packet) bool {
			return p.Layer == "turn" && strings.Contains(p.Summary, ": "+inside)
		})
		if !relayed {
			t.Errorf("no %s in what the relay carried", inside)
		}
	}
}

func TestTheTapTellsWhatIsRepeated(t *testing.T) {
	seen := openChannel(t, netsim.Link{Delay: time.Millisecond, Loss: 0.3, Seed: 5}, false)
	repeated := slices.ContainsFunc(seen.packets, func(p netsim.Packet) bool { return p.Retransmit && p.Note == "retransmission" && p.Layer == "dtls" })
	if !repeated {
		t.Error("a third is lost, and no retransmission of the handshake was seen")
	}
}

// chunks are the names of some, by their number in tshark's words.
var chunks = map[string]string{"1": "SCTP INIT", "2": "SCTP INIT ACK", "3": "SCTP SACK", "10": "SCTP COOKIE ECHO", "11": "SCTP COOKIE ACK"}

// TestTsharkOpensIt has somebody else read the file, with the keys in it alone.
// It wants to be told that there is SCTP in DTLS, which takes the form of an RSA
// key for a port, one that opens nothing here.
func TestTsharkOpensIt(t *testing.T) {
	path := need.Tool(t, "tshark", "tshark")
	seen := openChannel(t, netsim.Link{Delay: 2 * time.Millisecond}, false)
	dir := t.TempDir()
	name, key := filepath.Join(dir, "run.pcapng"), filepath.Join(dir, "any.pem")
	must(t, os.WriteFile(key, anyKey(t), 0o600))
	var file bytes.Buffer
	w, err := netsim.NewPcapngWriter(&file, 1<<30)
	must(t, err)
	must(t, w.Secrets(seen.keys.Log()))
	for _, p := range seen.packets {
		must(t, w.Write(0, p))
	}
	must(t, os.WriteFile(name, file.Bytes(), 0o600))
	read := func(args ...string) (rows [][]string) {
		cmd := exec.CommandContext(t.Context(), path, append([]string{"-r", name, "-T", "fields", "-E", "separator=/t"}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir) // nobody's preferences
		out, err := cmd.Output()
		must(t, err)
		for line := range strings.Lines(string(out)) {
			rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
		if len(rows) != len(seen.packets) {
			t.Fatalf("tshark found %d packets in a file of %d", len(rows), len(seen.packets))
		}
		return rows
	}
	for i, row := range read("-e", "stun.id") { // it doesn't look for STUN on a port that is told to be of DTLS
		if p := seen.packets[i]; row[0] != p.Attrs["transaction"] && !late(p) {
			t.Errorf("packet %d, %s %s: tshark has transaction %q", i, p.Layer, p.Summary, row[0])
		}
	}
	port := seen.packets[slices.IndexFunc(seen.packets, func(p netsim.Packet) bool { return p.Layer == "dtls" })].Src.Port()
	kinds := map[string]int{}
	for i, f := range read("-o", fmt.Sprintf("dtls.keys_list:0.0.0.0,%d,sctp,%s", port, key),
		"-e", "frame.number", "-e", "dtls.handshake.type", "-e", "dtls.alert_message.desc", "-e", "sctp.chunk_type", "-e", "rtcdc.label", "-e", "data.data") {
		p := seen.packets[i]
		if late(p) {
			continue
		}
		theirs := map[bool]string{p.Layer == "ice": "ice", f[1] != "" || f[2] != "": "dtls", f[3] != "": "sctp"}[true]
		if theirs != p.Layer {
			t.Errorf("packet %d, %s %s: tshark has %s, %q", i, p.Layer, p.Summary, theirs, f)
		}
		kinds[theirs]++
		if want := chunks[f[3]]; !strings.HasPrefix(p.Summary, want) {
			t.Errorf("packet %d, %s: tshark has chunk %s, %q", i, p.Summary, f[3], want)
		}
		if (f[4] == "chat") != strings.Contains(p.Summary, `OPEN "chat"`) {
			t.Errorf("packet %d, %s: tshark opens %q", i, p.Summary, f[4])
		}
		if text, _ := hex.DecodeString(f[5]); string(text) != p.Attrs["payload"] {
			t.Errorf("packet %d, %q: tshark reads %q", i, p.Attrs["payload"], text)
		}
	}
	if kinds["ice"] < 4 || kinds["dtls"] < 6 || kinds["sctp"] < 10 {
		t.Errorf("too little was compared: %v", kinds)
	}
}

// late tells that a packet is the answer to one that came after its receiver had
// closed: an ICMP error, which quotes it. tshark reads on in what is quoted.
func late(p netsim.Packet) bool { return strings.HasPrefix(p.Summary, "ICMP ") }

// anyKey is an RSA key that nobody used.
func anyKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}
