package packets

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/selfsigned"
	"peerlab/trace"
)

// siteName is the name of the run's server.
const siteName = "www.lab.example"

// talk is the conversation that there is to capture: a name is asked for, a page
// fetched in the clear, and the same over TLS.
type talk struct {
	run     *lab.Run
	p       Params
	keys    *netsim.Keys
	sockets *sides

	dns           net.PacketConn
	clear, secure net.Listener
	roots         *x509.CertPool
}

// open starts the servers.
func (t *talk) open() error {
	h, err := t.run.Host("server")
	if err != nil {
		return err
	}
	if t.dns, err = h.ListenPacket("udp", ":53"); err != nil {
		return err
	}
	if t.clear, err = h.Listen("tcp", ":80"); err != nil {
		return err
	}
	if t.secure, err = h.Listen("tcp", ":443"); err != nil {
		return err
	}
	cert, roots, err := selfsigned.Certificate(siteName, h.Addr())
	if err != nil {
		return err
	}
	t.roots = roots
	t.run.Go(func(ctx context.Context) error { return answer(ctx, t.dns, h.Addr()) })
	page := []byte(strings.Repeat("All work and no play makes a long page. ", t.p.Size*25+1)[:t.p.Size*1000])
	for _, l := range []net.Listener{t.clear, t.secure} {
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = w.Write(page) // the visitor may be gone
			}),
			ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
			ErrorLog: log.New(io.Discard, "", 0), // a handshake that fails is the visitor's matter
		}
		if t.run.Network() == lab.Link { // only the lab's own client gets there, and it may take its time
			server.ReadHeaderTimeout, server.WriteTimeout = 0, 0
		}
		serve := server.Serve
		if l == t.secure {
			server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/1, for the first line to be text
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		t.run.Go(func(ctx context.Context) error {
			defer context.AfterFunc(ctx, func() { server.Close() })()
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		})
	}
	t.run.LiveAt(t.clear.Addr(), "port")
	t.run.Live("secure", fmt.Sprint(portOf(t.secure.Addr())))
	t.run.Live("dns", fmt.Sprint(portOf(t.dns.LocalAddr())))
	return nil
}

// services are the ports that the servers listen on.
func (t *talk) services() services {
	return services{"domain": portOf(t.dns.LocalAddr()), "http": portOf(t.clear.Addr()), "https": portOf(t.secure.Addr())}
}

func portOf(a net.Addr) uint32 {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return 0
	}
	return uint32(ap.Port())
}

// hold has the conversation.
func (t *talk) hold(ctx context.Context) error {
	h, err := t.run.Host("client")
	if err != nil {
		return err
	}
	if err := t.ask(ctx, h); err != nil {
		return err
	}
	if n := t.run.Net(); n != nil && t.p.Lose > 0 {
		lose := netsim.Match{From: "server", To: "client", Kind: netsim.Data, Nth: t.p.Lose}
		if err := n.DropNext(lose, 1); err != nil {
			return fmt.Errorf("losing a segment: %w", err)
		}
	}
	for _, url := range []string{"http://" + siteName + "/page", "https://" + siteName + "/page"} {
		if err := t.fetch(ctx, h, url); err != nil {
			return err
		}
	}
	return nil
}

// fetch gets one page over a connection of its own.
func (t *talk) fetch(ctx context.Context, h *lab.Host, url string) error {
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: t.roots, ServerName: siteName},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			c, err := h.DialContext(ctx, network, "server:"+port)
			if err != nil {
				return nil, err
			}
			return t.sockets.watch(c), nil
		},
	}
	if t.p.Keys {
		transport.TLSClientConfig.KeyLogWriter = io.MultiWriter(t.keys, t.run.KeyLog())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	end := t.run.Begin(trace.HTTP, "client", "GET "+url)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		end(err.Error())
		return fmt.Errorf("GET %s: %w", url, err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	end(fmt.Sprintf("%s, %d bytes", resp.Status, n))
	t.run.Message(trace.HTTP, "server", "client", resp.Status, fmt.Sprintf("%s: %d bytes", url, n))
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

// ask asks for the server's address, twice if the first question gets lost.
func (t *talk) ask(ctx context.Context, h *lab.Host) error {
	c, err := h.DialContext(ctx, "udp", "server:53")
	if err != nil {
		return err
	}
	defer c.Close()
	question := dnsmessage.Message{Header: dnsmessage.Header{ID: 406, RecursionDesired: true}, Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName(siteName + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
	}}}
	text, err := question.Pack()
	if err != nil {
		return fmt.Errorf("writing a question: %w", err)
	}
	buf := make([]byte, 512)
	for range 3 {
		if _, err := c.Write(text); err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Second + 2*t.run.Settings().Delay)); err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		if _, err := c.Read(buf); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	t.run.Note("Nobody answers what the address of %s is; it is known anyhow.", siteName)
	return nil
}

// answer is a name server that knows one name.
func answer(ctx context.Context, pc net.PacketConn, addr netip.Addr) error {
	buf := make([]byte, 512)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("name server: %w", err)
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || m.Response || len(m.Questions) != 1 {
			continue
		}
		m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionDesired: m.RecursionDesired}
		m.Answers, m.Authorities, m.Additionals = nil, nil, nil
		switch q := m.Questions[0]; {
		case !strings.EqualFold(q.Name.String(), siteName+"."):
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA && addr.Is4():
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.AResource{A: addr.As4()},
			}}
		}
		reply, err := m.Pack()
		if err != nil {
			continue // a name that can't be written again
		}
		if _, err := pc.WriteTo(reply, from); err != nil && ctx.Err() != nil {
			return err
		}
	}
}
