package udp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"time"
)

// safe is the size of a datagram that fits into one packet nearly everywhere
// (QUIC's: RFC 9000 section 14).
const safe = 1200

// library answers LIST with its whole list, in datagrams of a safe size.
type library interface {
	answer(request message, size int, from net.Addr, now time.Time) [][]byte
}

// region open

// openLibrary answers whoever asks. Who that is says the source address, and
// that is whatever the sender wrote there.
type openLibrary struct{ list [][]byte }

func (l openLibrary) answer(message, int, net.Addr, time.Time) [][]byte { return l.list }

// endregion

// region validating

// validating gives an address the list once it has shown that it receives what
// is sent there: it has to bring a token back. Until then it gets at most three
// times the bytes it sent (RFC 9000 section 8).
type validating struct {
	list [][]byte
	key  []byte // of this process: tokens need no memory
}

const (
	factor = 3
	slot   = 30 * time.Second // a token is good for one or two of these
)

func (l validating) answer(request message, size int, from net.Addr, now time.Time) [][]byte {
	if len(request.args) > 0 {
		for _, at := range []time.Time{now, now.Add(-slot)} {
			if hmac.Equal([]byte(request.args[0]), []byte(l.token(from, at))) {
				return l.list
			}
		}
	}
	reply := message{verb: "TOKEN", args: []string{l.token(from, now)}}.datagram()
	if len(reply) > factor*size {
		reply = []byte("PAD") // ask with a longer datagram
	}
	return [][]byte{reply}
}

// token is what only who receives at that address can know.
func (l validating) token(from net.Addr, at time.Time) string {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(from.String()))
	mac.Write([]byte(at.Truncate(slot).UTC().Format(time.RFC3339)))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// endregion

// newKey makes the key of the tokens.
func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}

// listOf makes a list of about so many bytes.
func listOf(bytes int) (list [][]byte) {
	count := max(1, (bytes+safe-1)/safe)
	for i := range count {
		item := say("ITEM", i+1, count)
		item.body = make([]byte, safe-len(item.datagram()))
		for j := range item.body {
			item.body[j] = "abcdefghijklmnopqrstuvwxyz \n"[j%28]
		}
		list = append(list, item.datagram())
	}
	return list
}
