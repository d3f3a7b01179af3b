package tlsrecord

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
)

// Handshake messages, RFC 8446 section 4.
const (
	finished  = 20
	keyUpdate = 24
)

// Session follows one connection, record by record.
type Session struct {
	keys           func() string
	client, server Hello
	from, to       *opener // of the client's and the server's records; nil: none yet
	left           [2][]byte
}

// NewSession follows a connection from its beginning. keys returns the key log
// as it is by then; it is asked when the server has answered.
func NewSession(keys func() string) *Session { return &Session{keys: keys} }

// Client and Server are what the two have told in the clear so far.
func (s *Session) Client() Hello { return s.client }

// Server is what the server has told.
func (s *Session) Server() Hello { return s.server }

// Content is what is in a record.
type Content struct {
	// Type is what it really is; of a record under seal another than the record's own.
	Type byte
	// Sealed: only the two ends can read it; Opened: and we, with their keys.
	Sealed, Opened bool
	// Plain is what was inside, if it was opened or never closed.
	Plain []byte
	// Hello is the one in it, if it is that.
	Hello *Hello
	// Protocol is the server's choice of the client's ALPN list, where it tells it.
	Protocol string
	// Messages are the kinds of handshake messages that end in it.
	Messages []byte
}

// Open reads the next record of one of the two directions. Those of one
// direction have to come in their order; the ServerHello before what the
// client answers.
func (s *Session) Open(fromClient bool, r Record) Content {
	c := Content{Type: r.Type, Plain: r.Body}
	if r.Type == Handshake && s.to == nil {
		s.greet(fromClient, &c)
		return c
	}
	if r.Type != ApplicationData {
		return c
	}
	c.Sealed, c.Plain = true, nil
	which, side := s.to, 1
	if fromClient {
		which, side = s.from, 0
	}
	if which == nil {
		return c
	}
	kind, plain, err := which.open(r)
	if err != nil {
		return c
	}
	c.Opened, c.Type, c.Plain = true, kind, plain
	if kind == Handshake {
		if !fromClient && len(s.left[side]) == 0 {
			c.Protocol = protocol(plain)
		}
		c.Messages, s.left[side] = messages(append(s.left[side], plain...))
		which.saw(c.Messages)
	}
	return c
}

// protocol reads the ALPN choice in EncryptedExtensions, RFC 8446 section 4.3.1.
func protocol(message []byte) string {
	const encryptedExtensions, alpn = 8, 16
	c := &cursor{b: message}
	if c.number(1) != encryptedExtensions {
		return ""
	}
	for e := (&cursor{b: (&cursor{b: c.vector(3)}).vector(2)}); len(e.b) > 0 && !e.bad; {
		if id, data := e.number(2), (&cursor{b: e.vector(2)}); id == alpn {
			return string((&cursor{b: data.vector(2)}).vector(1))
		}
	}
	return ""
}

// greet reads a hello. After the server's the records are under seal.
func (s *Session) greet(fromClient bool, c *Content) {
	h, ok := readHello(c.Plain)
	if !ok || h.Client != fromClient {
		return
	}
	c.Hello = &h
	if fromClient {
		s.client = h
		return
	}
	if string(h.Random) == retry {
		return
	}
	s.server = h
	if h.TLS13 {
		secrets := secretsOf(s.keys(), s.client.Random)
		s.from = newOpener(h.Suite, secrets, "CLIENT")
		s.to = newOpener(h.Suite, secrets, "SERVER")
	}
}

// secretsOf are those of one connection, by name, in the key log format of NSS. A connection is known
// by the random bytes of its ClientHello.
func secretsOf(log string, random []byte) map[string][]byte {
	all := map[string][]byte{}
	for line := range strings.Lines(log) {
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

// newOpener begins with the secret of the handshake; what it is called depends
// on whose direction it is.
func newOpener(suite uint16, secrets map[string][]byte, side string) *opener {
	o := &opener{suite: suite, next: secrets[side+"_TRAFFIC_SECRET_0"]}
	first := secrets[side+"_HANDSHAKE_TRAFFIC_SECRET"]
	if suites[suite].hash == nil || first == nil || o.use(first) != nil {
		o.aead = nil // as good as no keys
	}
	return o
}

// saw follows the handshake messages of this direction, after which come
// other keys.
func (o *opener) saw(messages []byte) {
	for _, kind := range messages {
		var next []byte
		switch kind {
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

// maxMessage bounds what is kept of a message that goes on.
const maxMessage = 1 << 17

// messages lists the kinds of the handshake messages that are whole; left are
// bytes of one that goes on in the next record.
func messages(content []byte) (kinds, left []byte) {
	for len(content) >= 4 {
		n := int(content[1])<<16 | int(content[2])<<8 | int(content[3])
		if len(content) < 4+n {
			break
		}
		kinds = append(kinds, content[0])
		content = content[4+n:]
	}
	if len(content) > maxMessage {
		return kinds, nil
	}
	return kinds, slices.Clip(bytes.Clone(content))
}
