package browser_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/e2e/browser"
	"peerlab/e2e/netlab"
)

// TestPeersAcrossNAT is what the harness is for: two browsers behind two NATs
// load a page from a server outside and connect to each other.
func TestPeersAcrossNAT(t *testing.T) {
	lab := netlab.New(t)
	server := lab.WAN.Host("server")
	listener := server.Listen(80)
	stunAt := serveSTUN(t, server.ListenUDP(3478))
	web := &http.Server{Handler: http.FileServer(http.Dir("testdata"))}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) })
	t.Cleanup(func() { web.Close(); serving.Wait() })

	routers := [2]*netlab.Router{lab.WAN.Router("home", netlab.Cone), lab.WAN.Router("office", netlab.Cone)}
	var pages [2]*browser.Page
	for i, name := range []string{"alice", "bob"} {
		pages[i] = browser.Launch(t, browser.Config{Host: routers[i].LAN.Host(name)}).Page(t)
		pages[i].Open("http://" + server.Addr().String() + "/peer.html")
	}
	alice, bob := pages[0], pages[1]

	start := time.Now()
	offer := browser.Eval[string](alice, `offer('stun:`+stunAt+`')`)
	answer := browser.Eval[string](bob, `answer('stun:`+stunAt+`', `+quote(offer)+`)`)
	browser.Eval[bool](alice, `accept(`+quote(answer)+`)`)
	alice.WaitFor(`received === 'hello from the answerer'`, patience)
	bob.WaitFor(`received === 'hello from the offerer'`, patience)
	t.Logf("offer to data channel: %v", time.Since(start).Round(time.Millisecond))

	// Not by some way around the NATs.
	remote := browser.Eval[string](alice, `remoteAddress()`)
	if want := routers[1].Addr().String(); remote != want {
		t.Errorf("alice talks to %s, want bob's router %s", remote, want)
	}

	routers[0].Cut()
	alice.WaitFor(`pc.iceConnectionState === 'disconnected'`, 15*time.Second)
	routers[0].Restore()
	alice.WaitFor(`pc.iceConnectionState === 'connected'`, 15*time.Second)
}

// serveSTUN answers binding requests until the test ends.
func serveSTUN(t *testing.T, conn *net.UDPConn) (address string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			request := &stun.Message{Raw: buf[:n]}
			if err != nil || request.Decode() != nil {
				continue
			}
			reply, err := stun.Build(request, stun.BindingSuccess, &stun.XORMappedAddress{IP: from.IP, Port: from.Port})
			if err == nil {
				_, _ = conn.WriteToUDP(reply.Raw, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func quote(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted)
}
