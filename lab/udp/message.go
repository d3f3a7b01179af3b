package udp

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// message is one datagram: a line of words, and perhaps bytes after it.
//
//	ASK 7          ANSWER 7 it is noon
//	DATA 3 100⏎…   ACK 4 3      (all before 4 are here; 3 has just come)
//	LIST           PAD          LIST with anything long behind it
//	TOKEN 5fa1…    LIST 5fa1…   ITEM 1 7⏎…
type message struct {
	verb string
	args []string
	body []byte
}

// maxLine is the longest first line, in bytes.
const maxLine = 200

var errMessage = errors.New("not a message of ours")

// parse reads a datagram, whoever it is from.
func parse(datagram []byte) (message, error) {
	line, body, _ := bytes.Cut(datagram, []byte("\n"))
	if len(line) > maxLine {
		return message{}, errMessage
	}
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return message{}, errMessage
	}
	for _, c := range words[0] {
		if c < 'A' || c > 'Z' {
			return message{}, errMessage
		}
	}
	return message{verb: words[0], args: words[1:], body: body}, nil
}

// number is the i-th word after the verb; ok is false unless it is from 0 to below.
func (m message) number(i, below int) (n int, ok bool) {
	if i >= len(m.args) {
		return 0, false
	}
	n, err := strconv.Atoi(m.args[i])
	return n, err == nil && n >= 0 && n < below
}

// line is the message without its bytes, for people.
func (m message) line() string { return strings.Join(append([]string{m.verb}, m.args...), " ") }

// datagram writes the message.
func (m message) datagram() []byte { return append([]byte(m.line()+"\n"), m.body...) }

// say makes a message of a verb and numbers.
func say(verb string, numbers ...int) message {
	m := message{verb: verb}
	for _, n := range numbers {
		m.args = append(m.args, strconv.Itoa(n))
	}
	return m
}
