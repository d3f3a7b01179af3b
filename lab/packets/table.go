package packets

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"peerlab/lab"
)

// opened is what became of all TLS records.
type opened struct {
	records int
	sealed  int // not readable without keys
	opened  int
	name    string // of the server, as everybody on the way can read it
	first   string // line that was under seal
}

// Bounds of the table.
const (
	maxRows   = 40
	maxOpened = 2 // conversations of which the table tells
)

const (
	onTheWay = "anyone on the way"
	withKeys = "with the keys"
)

var messageNames = map[byte]string{1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 8: "EncryptedExtensions", 11: "Certificate",
	13: "CertificateRequest", 15: "CertificateVerify", finished: "Finished", keyUpdate: "KeyUpdate"}

// table sets side by side what anyone on the way reads, and what one reads who
// has the keys.
func table(r *lab.Run, all []conversation, keys []byte) (total opened) {
	rows, told := 0, 0
	for _, c := range all {
		list := c.records()
		var ours opened
		t := newTeller(keys)
		for i, rec := range list {
			row := t.tell(rec, &ours)
			if i == 0 && (rec.kind != handshake || t.client.random == nil) {
				break // not the beginning of a connection
			}
			if told < maxOpened && rows < maxRows {
				rows++
				who := "server → client"
				if rec.fromClient {
					who = "client → server"
				}
				name := fmt.Sprintf("%02d %s", rows, who)
				r.Cell(name, onTheWay, row.wire, map[string]string{"bytes": strconv.Itoa(5 + len(rec.body))})
				r.Cell(name, withKeys, row.inside, row.more)
			}
		}
		if t.client.random == nil {
			plain(r, c, &rows)
			continue
		}
		told++
		total.records += ours.records
		total.sealed += ours.sealed
		total.opened += ours.opened
		total.name = or(total.name, ours.name)
		total.first = or(total.first, ours.first)
	}
	if total.sealed > 0 {
		r.Fact("TLS records under seal", float64(total.sealed), "records")
		r.Fact("TLS records opened", float64(total.opened), "records")
	}
	return total
}

// plain tells of a connection that is not TLS: its first line each way.
func plain(r *lab.Run, c conversation, rows *int) {
	for _, side := range []struct {
		who string
		s   stream
	}{{"client → server", c.client}, {"server → client", c.server}} {
		if len(side.s.data) == 0 || *rows >= maxRows {
			continue
		}
		*rows++
		name := fmt.Sprintf("%02d %s", *rows, side.who)
		r.Cell(name, onTheWay, "in the clear: "+firstLine(side.s.data), map[string]string{"bytes": strconv.Itoa(len(side.s.data)), "port": c.port})
		r.Cell(name, withKeys, "takes none", nil)
	}
}

// teller reads the records of one connection in order.
type teller struct {
	keys     []byte
	client   hello
	server   hello
	from, to *opener // client's and server's records
	left     [2][]byte
}

func newTeller(keys []byte) *teller { return &teller{keys: keys} }

// row is a line of the table.
type row struct {
	wire, inside string
	more         map[string]string
}

var kindNames = map[byte]string{changeCipher: "ChangeCipherSpec", alert: "alert", handshake: "handshake", application: "application data"}

func (t *teller) tell(r record, o *opened) row {
	o.records++
	wire := fmt.Sprintf("%s, %d B", kindNames[r.kind], len(r.body))
	if t.to == nil && r.kind == handshake {
		return t.greet(r, o, wire)
	}
	if r.kind != application {
		return row{wire: wire, inside: "the same"}
	}
	o.sealed++
	which, side := t.to, 1
	if r.fromClient {
		which, side = t.from, 0
	}
	if which == nil {
		return row{wire: wire, inside: "sealed"}
	}
	kind, content, err := which.open(r)
	if err != nil {
		return row{wire: wire, inside: "sealed"}
	}
	o.opened++
	if kind == handshake {
		messages, left := messagesIn(append(t.left[side], content...))
		t.left[side] = bytes.Clone(left)
		which.saw(messages)
		var names []string
		for _, m := range messages {
			names = append(names, or(messageNames[m.kind], "message "+strconv.Itoa(int(m.kind))))
		}
		return row{wire: wire, inside: or(strings.Join(names, ", "), "a part of a message"), more: map[string]string{"really": "handshake"}}
	}
	if kind == alert {
		return row{wire: wire, inside: "alert: the end", more: map[string]string{"really": "alert"}}
	}
	line := firstLine(content)
	o.first = or(o.first, line)
	return row{wire: wire, inside: line, more: map[string]string{"really": kindNames[kind], "bytes": strconv.Itoa(len(content))}}
}

// greet reads a hello, which is in the clear.
func (t *teller) greet(r record, o *opened, wire string) row {
	h, ok := readHello(r.body)
	if !ok {
		return row{wire: wire, inside: "the same"}
	}
	if r.fromClient {
		t.client = h
		o.name = or(o.name, firstLine([]byte(h.name)))
		return row{wire: "ClientHello for " + or(o.name, "no name"), inside: "the same"}
	}
	t.server = h
	if h.tls13 {
		secrets := secretsOf(t.keys, t.client.random)
		t.from = newOpener(h.suite, secrets, "CLIENT")
		t.to = newOpener(h.suite, secrets, "SERVER")
	}
	return row{wire: "ServerHello, " + suiteName(h), inside: "the same"}
}

func suiteName(h hello) string {
	if !h.tls13 {
		return "TLS 1.2 or older: Wireshark opens it, this table does not"
	}
	return fmt.Sprintf("TLS 1.3, suite 0x%04x", h.suite)
}

// firstLine is the first line of bytes if it is text, in up to 80 bytes, and else how many they are.
func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	for _, c := range line {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%d bytes", len(b))
		}
	}
	if len(line) > 80 {
		return fmt.Sprintf("%s… (%d bytes)", line[:60], len(b))
	}
	if len(line) == 0 && len(b) > 0 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return string(line)
}
