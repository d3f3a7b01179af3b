package tlsrecord

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

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
func (o *opener) open(r Record) (kind byte, plain []byte, err error) {
	if o.aead == nil {
		return 0, nil, errSealed
	}
	nonce := bytes.Clone(o.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(o.seq >> (56 - 8*i))
	}
	plain, err = o.aead.Open(nil, nonce, r.Body, r.Header)
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
