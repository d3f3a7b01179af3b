package hijack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// maxLine bounds a line of the protocol.
const maxLine = 1 << 10

// upgrade checks that a request asks for the echo protocol, and has it taken over.
func (s *server) upgrade(take func(http.ResponseWriter) error) handlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if !hasToken(req.Header, "Connection", "upgrade") || !hasToken(req.Header, "Upgrade", "echo") {
			w.Header().Set("Upgrade", "echo")
			w.Header().Set("Connection", "Upgrade")
			http.Error(w, "this speaks the echo protocol only: Connection: Upgrade, Upgrade: echo", http.StatusUpgradeRequired)
			return
		}
		if err := take(w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// hasToken tells whether a header that is a list has the token.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// switching is the answer, after which it is another protocol.
const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// region careful

// carefully takes the connection over with all that belongs to it: the bytes
// that net/http has read ahead, the deadlines, and the duty to close it.
func (s *server) carefully(w http.ResponseWriter) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over: %w", err)
	}
	forget := s.register(conn) // Shutdown does not know this connection any more
	s.run.Go(func(context.Context) error {
		defer forget()
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(s.p.Timeout)) // for the answer
		if _, err := io.WriteString(conn, switching); err != nil {
			return nil
		}
		conn.SetDeadline(time.Time{})          // that was for the answer only
		s.echo(conn, buffered.Reader, func() { // reads what is in the buffer first
			conn.SetDeadline(time.Now().Add(patience)) // of our own: none is left
		})
		return nil
	})
	return nil
}

// endregion

// echo sends every line back in capitals. before is called before each one.
func (s *server) echo(conn net.Conn, r *bufio.Reader, before func()) {
	tell := s.teller(conn)
	for {
		before()
		line, err := readLine(r)
		if err != nil {
			return
		}
		tell(line)
		if _, err := fmt.Fprintf(conn, "%s\n", strings.ToUpper(line)); err != nil {
			return
		}
	}
}

// teller returns what records the lines of visitors, a few of them.
func (s *server) teller(conn net.Conn) func(line string) {
	if s.run.HostOf(conn.RemoteAddr()) != "" {
		return func(string) {} // the client of the run has told
	}
	return func(line string) {
		if s.told.Allow() {
			s.run.Message(trace.App, lab.Outside, "server", "line", line)
		}
	}
}

// readLine reads a line of up to maxLine bytes, without its end.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxLine {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, c)
	}
	return "", fmt.Errorf("a line of more than %d bytes", maxLine)
}
