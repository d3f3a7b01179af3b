package packets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// keyLog is what crypto/tls writes down when it is asked to: secrets by name, in
// the form of NSS, which Wireshark reads too.
type keyLog struct {
	mu   sync.Mutex
	text []byte
}

// maxKeys bounds a key log that came with a file.
const maxKeys = 64 << 10

func (k *keyLog) Write(line []byte) (int, error) {
	k.add(line)
	return len(line), nil
}

func (k *keyLog) add(text []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text = append(k.text, text[:min(len(text), maxKeys-len(k.text))]...)
}

func (k *keyLog) bytes() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.text)
}

// secretsOf are those of one connection, by name. It is known by the random
// bytes of its ClientHello.
func secretsOf(log, random []byte) map[string][]byte {
	all := map[string][]byte{}
	for line := range strings.Lines(string(log)) {
		words := strings.Fields(line)
		if len(words) != 3 || !strings.EqualFold(words[1], hex.EncodeToString(random)) {
			continue
		}
		if secret, err := hex.DecodeString(words[2]); err == nil {
			all[words[0]] = secret
		}
	}
	return all
}

// suites are the ways to seal a record in TLS 1.3, RFC 8446 appendix B.4.
var suites = map[uint16]struct {
	hash func() hash.Hash
	size int // of the key
	aead func(key []byte) (cipher.AEAD, error)
}{
	0x1301: {sha256.New, 16, gcm},
	0x1302: {sha512.New384, 32, gcm},
	0x1303: {sha256.New, 32, chacha20poly1305.New},
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// errSealed is for a record that the keys do not open.
var errSealed = errors.New("the keys do not open it")

// opener opens the records of one direction, in their order.
type opener struct {
	suite  uint16
	secret []byte
	next   []byte // the secret once the handshake is finished
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// region expand

// use derives key and nonce from a traffic secret, RFC 8446 section 7.3.
func (o *opener) use(secret []byte) error {
	s := suites[o.suite]
	key, err := o.expand(secret, "key", s.size)
	if err != nil {
		return err
	}
	if o.iv, err = o.expand(secret, "iv", 12); err != nil {
		return err
	}
	o.secret, o.seq = secret, 0
	o.aead, err = s.aead(key)
	return err
}

// expand is HKDF-Expand-Label with an empty context, RFC 8446 section 7.1.
func (o *opener) expand(secret []byte, label string, size int) ([]byte, error) {
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(info, byte(len("tls13 "+label)))
	info = append(info, "tls13 "+label...)
	return hkdf.Expand(suites[o.suite].hash, secret, string(append(info, 0)), size)
}

// open opens one record: the nonce is the iv with the record's number XORed into
// it, the header is vouched for, and the last byte that is not zero says what
// the record really is, RFC 8446 section 5.2.
func (o *opener) open(r record) (kind byte, plain []byte, err error) {
	if o.aead == nil {
		return 0, nil, errSealed
	}
	nonce := bytes.Clone(o.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(o.seq >> (56 - 8*i))
	}
	plain, err = o.aead.Open(nil, nonce, r.body, r.header)
	if err != nil {
		return 0, nil, errSealed
	}
	o.seq++
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 {
		return 0, nil, errSealed
	}
	return plain[len(plain)-1], plain[:len(plain)-1], nil
}

// endregion

// newOpener begins with the secret of the handshake; what it is called depends
// on whose direction it is.
func newOpener(suite uint16, secrets map[string][]byte, side string) *opener {
	o := &opener{suite: suite, next: secrets[side+"_TRAFFIC_SECRET_0"]}
	first := secrets[side+"_HANDSHAKE_TRAFFIC_SECRET"]
	if suites[suite].hash != nil && first != nil {
		if o.use(first) != nil {
			o.aead = nil // as good as no keys
		}
	}
	return o
}

// saw follows the handshake messages of this direction, after which come
// other keys.
func (o *opener) saw(messages []message) {
	for _, m := range messages {
		var next []byte
		switch m.kind {
		case finished:
			next, o.next = o.next, nil
		case keyUpdate:
			next, _ = o.expand(o.secret, "traffic upd", suites[o.suite].hash().Size())
		default:
			continue
		}
		if next == nil || o.use(next) != nil {
			o.aead = nil
		}
	}
}

const (
	finished  = 20
	keyUpdate = 24
)

// message is one of the handshake, as far as it is in one record.
type message struct {
	kind byte
	size int
}

// messagesIn lists the handshake messages in the content of records; left are
// bytes of a message that goes on in the next one.
func messagesIn(content []byte) (all []message, left []byte) {
	for len(content) >= 4 {
		n := int(content[1])<<16 | int(content[2])<<8 | int(content[3])
		if len(content) < 4+n {
			return all, content
		}
		all = append(all, message{content[0], n})
		content = content[4+n:]
	}
	return all, content
}
