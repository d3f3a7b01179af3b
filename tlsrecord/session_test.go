package tlsrecord_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"

	"peerlab/netsim"
	"peerlab/selfsigned"
	"peerlab/tlsrecord"
)

// tape is a connection whose bytes are written down, in both directions on one tape.
type tape struct {
	net.Conn
	written *[]part
}

type part struct {
	fromClient bool
	data       []byte
}

func (t tape) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	*t.written = append(*t.written, part{false, bytes.Clone(b[:n])})
	return n, err
}

func (t tape) Write(b []byte) (int, error) {
	*t.written = append(*t.written, part{true, bytes.Clone(b)})
	return t.Conn.Write(b)
}

// talk has a TLS connection say a line each way, and returns what went over it.
func talk(t testing.TB, keys io.Writer, most uint16) []part {
	t.Helper()
	cert, roots, err := selfsigned.Certificate("www.lab.example", netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() {
		server := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
		b := make([]byte, 5)
		_, err := io.ReadFull(server, b)
		if err == nil {
			_, err = server.Write([]byte("world"))
		}
		done <- err
	}()
	var written []part
	client := tls.Client(tape{here, &written}, &tls.Config{RootCAs: roots, ServerName: "www.lab.example", NextProtos: []string{"h2"}, KeyLogWriter: keys, MaxVersion: most})
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	here.Close()
	return written
}

// read opens what was written down; a function of it is told of each record.
func read(written []part, keys string, each func(fromClient bool, c tlsrecord.Content)) *tlsrecord.Session {
	s := tlsrecord.NewSession(func() string { return keys })
	var streams [2][]byte
	for _, p := range written {
		side := 0
		if p.fromClient {
			side = 1
		}
		streams[side] = append(streams[side], p.data...)
		for {
			r, size, err := tlsrecord.Split(streams[side])
			if err != nil || size == 0 {
				break
			}
			each(p.fromClient, s.Open(p.fromClient, r))
			streams[side] = streams[side][size:]
		}
	}
	return s
}

func TestTheKeysOpenAConnection(t *testing.T) {
	t.Parallel()
	var keys netsim.Keys
	written := talk(t, &keys, tls.VersionTLS13)
	for log, want := range map[string]string{keys.Log(): "hello world", "": ""} {
		said, sealed, protocol := "", 0, ""
		s := read(written, log, func(_ bool, c tlsrecord.Content) {
			if c.Sealed {
				sealed++
			}
			if c.Protocol != "" {
				protocol = c.Protocol
			}
			if c.Opened && c.Type == tlsrecord.ApplicationData {
				said += string(c.Plain) + " "
			}
		})
		if got := string(bytes.TrimSpace([]byte(said))); got != want || sealed < 6 {
			t.Errorf("%d records under seal, and in them %q, want %q", sealed, got, want)
		}
		if (protocol == "h2") != (log != "") {
			t.Errorf("ALPN chose %q", protocol)
		}
		if c := s.Client(); c.Name != "www.lab.example" || len(c.ALPN) != 1 || c.ALPN[0] != "h2" || !s.Server().TLS13 {
			t.Errorf("in the clear: %+v", c)
		}
	}
}

func TestAnOlderVersionStaysClosed(t *testing.T) {
	t.Parallel()
	var keys netsim.Keys
	s := read(talk(t, &keys, tls.VersionTLS12), keys.Log(), func(_ bool, c tlsrecord.Content) {
		if c.Opened {
			t.Error("a record of TLS 1.2 was opened")
		}
	})
	if s.Server().TLS13 || s.Server().Random == nil {
		t.Errorf("the server's hello: %+v", s.Server())
	}
}

// FuzzSession takes any bytes for the two directions of a connection.
func FuzzSession(f *testing.F) {
	var keys netsim.Keys
	written := talk(f, &keys, tls.VersionTLS13)
	for _, p := range written[:min(len(written), 6)] {
		f.Add(p.data, p.data, keys.Log())
	}
	f.Fuzz(func(_ *testing.T, a, b []byte, log string) {
		read([]part{{true, a}, {false, b}, {true, b}, {false, a}}, log, func(bool, tlsrecord.Content) {})
	})
}
