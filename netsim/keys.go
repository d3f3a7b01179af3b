package netsim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
	"sync"
)

// maxKeyLog bounds what a Keys holds, in bytes: some 300 connections.
const maxKeyLog = 64 << 10

// Keys is a key log: the secrets of the TLS and DTLS connections on a net, as the
// programs on its hosts tell them (tls.Config.KeyLogWriter, or Pion's
// SetDTLSKeyLogWriter) in the format that browsers and Wireshark use. With it the tap sees what is
// inside of DTLS 1.2 with AES-GCM, and a pcapng file with it shows Wireshark the
// inside of all of them. It may be used from any goroutine; the zero value is
// ready, and a nil one knows nothing.
type Keys struct {
	mu      sync.Mutex
	lines   []string
	size    int
	masters map[[32]byte][]byte // by the client's random bytes
}

// Write takes whole lines: a label, the client's random bytes and the secret.
// What is no such line, was there before, or finds no room is left out; it never fails.
func (k *Keys) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for line := range bytes.Lines(b) {
		k.addLocked(strings.TrimSpace(string(line)))
	}
	return len(b), nil
}

func (k *Keys) addLocked(line string) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || k.size+len(line)+1 > maxKeyLog || slices.Contains(k.lines, line) {
		return
	}
	random, err := hex.DecodeString(parts[1])
	if err != nil || len(random) != 32 {
		return
	}
	secret, err := hex.DecodeString(parts[2])
	if err != nil {
		return
	}
	k.lines = append(k.lines, line)
	k.size += len(line) + 1
	if parts[0] == "CLIENT_RANDOM" {
		if k.masters == nil {
			k.masters = map[[32]byte][]byte{}
		}
		k.masters[[32]byte(random)] = secret
	}
}

// Log is the text of it, empty if there is none.
func (k *Keys) Log() string {
	if k == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.lines) == 0 {
		return ""
	}
	return strings.Join(k.lines, "\n") + "\n"
}

// aead is what is needed to know of a cipher suite with AES-GCM.
type aead struct {
	key  int // bytes
	hash func() hash.Hash
}

var aeads = map[uint16]aead{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: {16, sha256.New},
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   {16, sha256.New},
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: {32, sha512.New384},
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:   {32, sha512.New384},
}

func suiteName(id uint16) string { return tls.CipherSuiteName(id) }

// fixedNonce is the part of an AES-GCM nonce that is not in the record, RFC 5288
// section 3; the other eight bytes are.
const fixedNonce, explicitNonce = 4, 8

// session opens the records of one DTLS association. A nil one opens none.
type session struct {
	sealed [2]cipher.AEAD // the server's, the client's
	nonce  [2][fixedNonce]byte
}

// session derives the keys of an association, RFC 5246 section 6.3; nil while its
// secret is not known, or if the cipher is another one.
func (k *Keys) session(h *hellos) *session {
	suite, known := aeads[h.suite]
	if k == nil || !known {
		return nil
	}
	k.mu.Lock()
	master := k.masters[h.client]
	k.mu.Unlock()
	if master == nil {
		return nil
	}
	seed := slices.Concat([]byte("key expansion"), h.server[:], h.client[:])
	block := expand(suite.hash, master, seed, 2*(suite.key+fixedNonce))
	s := &session{}
	for i, side := range []int{1, 0} { // the client's come first
		b, err := aes.NewCipher(block[i*suite.key : (i+1)*suite.key])
		if err != nil {
			return nil
		}
		if s.sealed[side], err = cipher.NewGCM(b); err != nil {
			return nil
		}
		copy(s.nonce[side][:], block[2*suite.key+i*fixedNonce:])
	}
	return s
}

// expand is the pseudorandom function of TLS 1.2, RFC 5246 section 5.
func expand(h func() hash.Hash, secret, seed []byte, size int) (out []byte) {
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(h, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	for a := seed; len(out) < size; {
		a = sum(a)
		out = append(out, sum(a, seed)...)
	}
	return out[:size]
}

// open decrypts a record, RFC 6347 section 4.1.2.1.
func (s *session) open(client bool, rec record) ([]byte, bool) {
	if s == nil || len(rec.body) < explicitNonce {
		return nil, false
	}
	side := 0
	if client {
		side = 1
	}
	sealed := rec.body[explicitNonce:]
	if len(sealed) < s.sealed[side].Overhead() {
		return nil, false
	}
	nonce := append(s.nonce[side][:], rec.body[:explicitNonce]...)
	also := append([]byte(nil), rec.head[3:11]...) // epoch and number
	also = append(also, rec.head[:3]...)           // type and version
	also = binary.BigEndian.AppendUint16(also, uint16(len(sealed)-s.sealed[side].Overhead()))
	plain, err := s.sealed[side].Open(nil, nonce, sealed, also)
	return plain, err == nil
}
