package hijack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"peerlab/lab"
	"peerlab/trace"
)

// region h2

// wouldHijack tries to take the connection over and says what came of it. On
// HTTP/2 there is nothing to be had: other requests are on the same connection.
func (s *server) wouldHijack(w http.ResponseWriter, req *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, req.Proto+": "+err.Error(), http.StatusNotImplemented)
		return
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 26\r\n\r\ntaken over, and closed now")
	conn.Close()
}

// askHTTP2 speaks HTTP/2 by hand: the server's settings say whether a stream
// may become a tunnel (RFC 8441), and then it asks for one anyway.
func (s *server) askHTTP2(ctx context.Context) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := newFrames(s, conn)
	if err := c.begin(); err != nil {
		return err
	}
	answer, err := c.ask(1, hpack.HeaderField{Name: ":method", Value: "GET"}, hpack.HeaderField{Name: ":scheme", Value: "http"},
		hpack.HeaderField{Name: ":authority", Value: "server"}, hpack.HeaderField{Name: ":path", Value: "/echo"})
	if err != nil {
		return err
	}
	tunnel, err := c.ask(3, hpack.HeaderField{Name: ":method", Value: "CONNECT"}, hpack.HeaderField{Name: ":protocol", Value: "websocket"},
		hpack.HeaderField{Name: ":scheme", Value: "http"}, hpack.HeaderField{Name: ":authority", Value: "server"}, hpack.HeaderField{Name: ":path", Value: "/socket"})
	if err != nil {
		return err
	}
	s.run.Fact("status of the request", float64(answer.status), "")
	s.run.Fact("extended CONNECT offered", c.offered(), "")
	s.run.Verdict(lab.Warn, "Hijack on HTTP/2: %s. An extended CONNECT, %s by the server's settings: %s.", bytes.TrimSpace(answer.body), allowed(c.offered()), tunnel)
	return nil
}

// endregion

func allowed(offered float64) string {
	if offered == 1 {
		return "offered"
	}
	return "not offered"
}

// frames is a connection of HTTP/2 by hand.
type frames struct {
	server   *server
	framer   *http2.Framer
	conn     net.Conn
	settings map[http2.SettingID]uint32
	encoded  bytes.Buffer
	encoder  *hpack.Encoder
}

func newFrames(s *server, conn net.Conn) *frames {
	c := &frames{server: s, conn: conn, framer: http2.NewFramer(conn, conn), settings: map[http2.SettingID]uint32{}}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.SetMaxReadFrameSize(1 << 14)
	c.encoder = hpack.NewEncoder(&c.encoded)
	return c
}

// offered is 1 if the server allows extended CONNECT.
func (c *frames) offered() float64 { return float64(c.settings[http2.SettingEnableConnectProtocol]) }

func (c *frames) tell(from, to string, f string, attrs map[string]string) {
	c.server.run.Add(trace.Event{Kind: trace.Message, Layer: trace.HTTP, From: from, To: to, Name: f, Attrs: attrs})
}

// begin sends the preface and reads the server's settings.
func (c *frames) begin() error {
	if _, err := io.WriteString(c.conn, http2.ClientPreface); err != nil {
		return fmt.Errorf("send the preface: %w", err)
	}
	c.tell("client", "server", "preface, SETTINGS", nil)
	if err := c.framer.WriteSettings(); err != nil {
		return fmt.Errorf("send SETTINGS: %w", err)
	}
	f, err := c.framer.ReadFrame()
	if err != nil {
		return fmt.Errorf("read the server's SETTINGS: %w", err)
	}
	settings, ok := f.(*http2.SettingsFrame)
	if !ok {
		return fmt.Errorf("the server begins with %s and not with SETTINGS", f.Header().Type)
	}
	attrs := map[string]string{}
	_ = settings.ForeachSetting(func(one http2.Setting) error {
		c.settings[one.ID] = one.Val
		attrs[one.ID.String()] = strconv.Itoa(int(one.Val))
		return nil
	})
	c.tell("server", "client", "SETTINGS", attrs)
	if err := c.framer.WriteSettingsAck(); err != nil {
		return fmt.Errorf("acknowledge the SETTINGS: %w", err)
	}
	return nil
}

// reply is what came back on a stream.
type reply struct {
	status int
	body   []byte
	reset  string // the code, if the stream was reset
}

func (r reply) String() string {
	if r.reset != "" {
		return "the stream is reset with " + r.reset
	}
	return strconv.Itoa(r.status) + " " + http.StatusText(r.status)
}

// errGone is for a connection that the server has ended.
var errGone = errors.New("GOAWAY")

// ask opens a stream with these headers and reads the reply to its end.
func (c *frames) ask(stream uint32, fields ...hpack.HeaderField) (reply, error) {
	c.encoded.Reset()
	attrs := map[string]string{}
	for _, f := range fields {
		attrs[f.Name] = f.Value
		if err := c.encoder.WriteField(f); err != nil {
			return reply{}, fmt.Errorf("encode the headers: %w", err)
		}
	}
	c.tell("client", "server", fmt.Sprintf("HEADERS, stream %d", stream), attrs)
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.encoded.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
		return reply{}, fmt.Errorf("send HEADERS: %w", err)
	}
	var r reply
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return r, fmt.Errorf("read the reply: %w", err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			attrs := map[string]string{}
			for _, field := range f.Fields {
				attrs[field.Name] = field.Value
			}
			r.status, _ = strconv.Atoi(attrs[":status"])
			c.tell("server", "client", fmt.Sprintf("HEADERS, stream %d", f.StreamID), attrs)
			if f.StreamEnded() {
				return r, nil
			}
		case *http2.DataFrame:
			r.body = append(r.body, f.Data()...)
			c.tell("server", "client", fmt.Sprintf("DATA, stream %d", f.StreamID), map[string]string{"data": string(f.Data())})
			if f.StreamEnded() {
				return r, nil
			}
		case *http2.RSTStreamFrame:
			r.reset = f.ErrCode.String()
			c.tell("server", "client", fmt.Sprintf("RST_STREAM, stream %d", f.StreamID), map[string]string{"code": r.reset})
			if f.StreamID == stream {
				return r, nil
			}
		case *http2.GoAwayFrame:
			return r, fmt.Errorf("%w: %s", errGone, f.ErrCode)
		}
	}
}
