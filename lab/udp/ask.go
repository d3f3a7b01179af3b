package udp

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"
)

// largest is the size of the largest datagram over IPv4: 65,535 bytes less the headers.
const largest = 65_507

// region unconnected

// askAnybody sends a question from a socket that is open to the whole world,
// and takes the first datagram that comes for the answer.
func askAnybody(pc net.PacketConn, to net.Addr, wait time.Duration) (answer string, from net.Addr, err error) {
	if _, err := pc.WriteTo([]byte("ASK 1\n"), to); err != nil {
		return "", nil, fmt.Errorf("ask: %w", err)
	}
	pc.SetReadDeadline(time.Now().Add(wait))
	buf := make([]byte, 1024)
	n, from, err := pc.ReadFrom(buf) // anybody's, and never "connection refused"
	if err != nil {
		return "", nil, fmt.Errorf("wait for the answer: %w", err)
	}
	return string(buf[:n]), from, nil
}

// endregion

// region connected

// askConnected asks over a socket connected to the server. The kernel drops
// what has another source address, and tells when nobody listens there. As a
// source address can be forged, the question has a number nobody can guess, and
// as datagrams get lost it is asked again.
func askConnected(c net.Conn, wait time.Duration) (answer string, ignored int, err error) {
	number := strconv.FormatUint(rand.Uint64(), 36)
	question := message{verb: "ASK", args: []string{number}}.datagram()
	buf := make([]byte, largest)
	end := time.Now().Add(wait)
	for pause := wait / 8; time.Now().Before(end); pause *= 2 {
		if _, err := c.Write(question); err != nil {
			return "", ignored, fmt.Errorf("ask: %w", err) // the refusal of the one before comes here, too
		}
		c.SetReadDeadline(earlier(time.Now().Add(pause), end))
		for {
			n, err := c.Read(buf)
			if isTimeout(err) {
				break // ask again
			}
			if err != nil {
				return "", ignored, fmt.Errorf("wait for the answer: %w", err) // ECONNREFUSED: nobody listens
			}
			if m, err := parse(buf[:n]); err == nil && m.verb == "ANSWER" && len(m.args) > 0 && m.args[0] == number {
				return m.line(), ignored, nil
			}
			ignored++ // not the answer to this question
		}
	}
	return "", ignored, errNoAnswer
}

// endregion

// answerAsks is a server for both: ANSWER, with the number of the question.
// Whatever else it gets it sends back, never longer than it was.
func answerAsks(pc net.PacketConn, asked func(m message, from net.Addr)) error {
	buf := make([]byte, largest)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return err // the socket is closed
		}
		reply := buf[:n]
		if m, err := parse(buf[:n]); err == nil && m.verb == "ASK" && len(m.args) == 1 {
			asked(m, from)
			reply = message{verb: "ANSWER", args: []string{m.args[0], "from", "the", "server"}}.datagram()
		}
		if _, err := pc.WriteTo(reply, from); err != nil && isClosed(err) {
			return err
		}
	}
}
