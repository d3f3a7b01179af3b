package dnslab

import (
	"errors"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// Why a datagram is not the answer.
var (
	errSource   = errors.New("it comes from somebody else")
	errForm     = errors.New("it is no DNS message")
	errNoAnswer = errors.New("it is no answer")
	errID       = errors.New("it has another id")
	errQuestion = errors.New("it answers another question")
)

// region check

// isAnswer tells whether m, which came from an address, answers q, which was
// sent to one. Anybody can send a datagram to our port: all that tells the
// answer from a forgery is what only the server has seen. The id has 16 bits,
// the port, if it is another one each time, about as many again (RFC 5452).
func isAnswer(q *dns.Msg, sentTo net.Addr, m *dns.Msg, from net.Addr) error {
	switch {
	case from.String() != sentTo.String():
		return errSource
	case !m.Response || m.Opcode != q.Opcode:
		return errNoAnswer
	case m.Id != q.Id:
		return errID
	case !sameQuestion(q, m):
		return errQuestion
	}
	return nil
}

// sameQuestion tells whether m repeats the question of q. Case means nothing.
func sameQuestion(q, m *dns.Msg) bool {
	if len(m.Question) != 1 {
		return false
	}
	a, b := q.Question[0], m.Question[0]
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// endregion
