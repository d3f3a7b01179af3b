package packets

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"peerlab/lab"
	"peerlab/tlsrecord"
)

// opened is what became of all TLS records.
type opened struct {
	records int
	sealed  int // not readable without keys
	opened  int
	older   bool   // some of TLS 1.2 or older
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
	13: "CertificateRequest", 15: "CertificateVerify", 20: "Finished", 24: "KeyUpdate"}

// table sets side by side what anyone on the way reads, and what one reads who
// has the keys.
func table(r *lab.Run, all []conversation, keys string) (total opened) {
	rows, told := 0, 0
	for _, c := range all {
		list := c.records()
		var ours opened
		t := newTeller(keys)
		for i, rec := range list {
			row := t.tell(rec, &ours)
			if i == 0 && t.Client().Random == nil {
				break // not the beginning of a connection
			}
			if told < maxOpened && rows < maxRows {
				rows++
				name := rowName(rows, rec.fromClient)
				r.Cell(name, onTheWay, row.wire, map[string]string{"bytes": strconv.Itoa(5 + len(rec.Body))})
				r.Cell(name, withKeys, row.inside, row.more)
			}
		}
		if t.Client().Random == nil {
			plain(r, c, &rows)
			continue
		}
		told++
		total.records += ours.records
		total.sealed += ours.sealed
		total.opened += ours.opened
		total.older = total.older || ours.older
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
		fromClient bool
		s          stream
	}{{true, c.client}, {false, c.server}} {
		if len(side.s.data) == 0 || *rows >= maxRows {
			continue
		}
		*rows++
		name := rowName(*rows, side.fromClient)
		r.Cell(name, onTheWay, "in the clear: "+firstLine(side.s.data), map[string]string{"bytes": strconv.Itoa(len(side.s.data)), "port": c.port})
		r.Cell(name, withKeys, "takes none", nil)
	}
}

// teller reads the records of one connection in order.
type teller struct{ *tlsrecord.Session }

func newTeller(keys string) teller {
	return teller{tlsrecord.NewSession(func() string { return keys })}
}

// row is a line of the table.
type row struct {
	wire, inside string
	more         map[string]string
}

// rowName numbers the rows; the arrow tells the direction.
func rowName(n int, fromClient bool) string {
	if fromClient {
		return fmt.Sprintf("%02d to server", n)
	}
	return fmt.Sprintf("%02d to client", n)
}

var kindNames = map[byte]string{tlsrecord.ChangeCipherSpec: "ChangeCipherSpec", tlsrecord.Alert: "alert",
	tlsrecord.Handshake: "handshake", tlsrecord.ApplicationData: "application data"}

func (t teller) tell(r record, o *opened) row {
	o.records++
	wire := fmt.Sprintf("%s, %d B", kindNames[r.Type], len(r.Body))
	c := t.Open(r.fromClient, r.Record)
	switch {
	case c.Hello != nil && c.Hello.Client:
		o.name = or(o.name, firstLine([]byte(c.Hello.Name)))
		return row{wire: "ClientHello for " + or(o.name, "no name"), inside: "the same"}
	case c.Hello != nil:
		o.older = o.older || !c.Hello.TLS13
		return row{wire: "ServerHello, " + suiteName(*c.Hello), inside: "the same"}
	case !c.Sealed:
		return row{wire: wire, inside: "the same"}
	}
	o.sealed++
	if !c.Opened {
		return row{wire: wire, inside: "sealed"}
	}
	o.opened++
	really := map[string]string{"really": kindNames[c.Type], "bytes": strconv.Itoa(len(c.Plain))}
	switch c.Type {
	case tlsrecord.Handshake:
		var names []string
		for _, kind := range c.Messages {
			names = append(names, or(messageNames[kind], "message "+strconv.Itoa(int(kind))))
		}
		return row{wire, or(strings.Join(names, ", "), "a part of a message"), really}
	case tlsrecord.Alert:
		return row{wire, "alert: the end", really}
	}
	line := firstLine(c.Plain)
	o.first = or(o.first, line)
	return row{wire, line, really}
}

func suiteName(h tlsrecord.Hello) string {
	if !h.TLS13 {
		return "TLS 1.2 or older: Wireshark opens it, this table does not"
	}
	return fmt.Sprintf("TLS 1.3, suite 0x%04x", h.Suite)
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
