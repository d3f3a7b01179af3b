package lab_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"peerlab/lab"
	"peerlab/trace"
)

// onBoth runs f on each network and hands it the record when it has ended well.
func onBoth(t *testing.T, f func(ctx context.Context, r *lab.Run) error, check func(t *testing.T, rec *lab.Record)) {
	for _, network := range []string{"loopback", "link"} {
		t.Run(network, func(t *testing.T) {
			rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, f)}})
			rec := start(t, rn, "echo", url.Values{"network": {network}, "delay": {"1"}})
			wantOutcome(t, rec, lab.Finished, "")
			if _, _, err := rec.Status(); err != nil {
				t.Error(err)
			}
			if check != nil {
				check(t, rec)
			}
		})
	}
}

// pair makes two hosts and a listener on the first, port 80.
func pair(r *lab.Run) (server, client *lab.Host, l net.Listener, err error) {
	if server, err = r.Host("server"); err != nil {
		return
	}
	if client, err = r.Host("client"); err != nil {
		return
	}
	l, err = server.Listen("tcp", ":80")
	return
}

func TestHostsMeetByNameOnBothNetworks(t *testing.T) {
	onBoth(t, func(ctx context.Context, r *lab.Run) error {
		for _, v := range []*lab.Run{r.Variant("naive"), r.Variant("fixed")} {
			_, client, l, err := pair(v)
			if err != nil {
				return err
			}
			v.Go(func(context.Context) error {
				c, err := l.Accept()
				if err != nil {
					return err
				}
				defer c.Close()
				if name := v.HostOf(c.RemoteAddr()); name != "client" {
					return fmt.Errorf("accepted from %q", name)
				}
				_, err = io.Copy(c, c) // ends with the half-close
				return err
			})
			c, err := client.DialContext(ctx, "tcp", "server:80")
			if err != nil {
				return err
			}
			defer c.Close()
			if _, err := io.WriteString(c, "hello"); err != nil {
				return err
			}
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				return err
			}
			if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
				return fmt.Errorf("got %q, %w", got, err)
			}
			again, err := client.DialContext(ctx, "tcp", l.Addr().String())
			if err != nil {
				return fmt.Errorf("by address: %w", err)
			}
			again.Close()
		}
		return nil
	}, func(t *testing.T, rec *lab.Record) {
		kept, left := rec.Packets()
		if rec.Settings.Network == lab.Loopback {
			if err := rec.WritePcapng(io.Discard); kept != 0 || !errors.Is(err, lab.ErrNoPackets) {
				t.Errorf("%d packets on the loopback, %v", kept, err)
			}
			return
		}
		messages, syns := 0, 0
		for _, e := range rec.Log.Events() {
			if e.Kind == trace.Message {
				messages++
				if e.Name == "SYN" && e.From == "naive/client" && e.To == "naive/server" && e.Layer == trace.TCP && e.Took > 0 {
					syns++
				}
			}
		}
		var file bytes.Buffer
		if err := rec.WritePcapng(&file); err != nil {
			t.Fatal(err)
		}
		ng, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		inFile := map[string]int{}
		for {
			_, ci, err := ng.ReadPacketData()
			if err != nil {
				break
			}
			i, err := ng.Interface(ci.InterfaceIndex)
			if err != nil {
				t.Fatal(err)
			}
			inFile[i.Name]++
		}
		if inFile["naive"] < 10 || inFile["fixed"] < 10 || inFile["naive"]+inFile["fixed"] != kept {
			t.Errorf("%v packets in the file, %d kept", inFile, kept)
		}
		if messages < 20 || messages != kept+left || syns != 2 {
			t.Errorf("%d messages, %d of them SYNs of a variant, %d packets kept, %d left", messages, syns, kept, left)
		}
	})
}

func TestDatagrams(t *testing.T) {
	onBoth(t, func(ctx context.Context, r *lab.Run) error {
		server, err := r.Host("server")
		if err != nil {
			return err
		}
		client, err := r.Host("client")
		if err != nil {
			return err
		}
		pc, err := server.ListenPacket("udp", ":53")
		if err != nil {
			return err
		}
		c, err := client.DialContext(ctx, "udp", "server:53")
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, "query"); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := pc.WriteTo(buf[:n], from); err != nil {
			return err
		}
		if n, err = c.Read(buf); err != nil || string(buf[:n]) != "query" {
			return fmt.Errorf("got %q, %w", buf[:n], err)
		}
		if name := r.HostOf(from); name != "client" {
			return fmt.Errorf("datagram from %q", name)
		}
		return nil
	}, nil)
}

func TestAHostOnTheLoopbackReachesNothingButItsRun(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	stranger, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		_, client, l, err := pair(r.Variant("naive"))
		if err != nil {
			return err
		}
		if host, _, _ := net.SplitHostPort(l.Addr().String()); host != "127.0.0.1" {
			t.Errorf("listens on %s", l.Addr())
		}
		for _, address := range []string{other.Addr().String(), "localhost:22", "example.org:80", "server:81", "", "::", "[::1]:80"} {
			if c, err := client.DialContext(ctx, "tcp", address); !errors.Is(err, lab.ErrNotOurs) {
				t.Errorf("dialled %q: %v, %v", address, c, err)
			}
		}
		if _, err := client.DialContext(ctx, "unix", "/run/x"); err == nil {
			t.Error("dialled a unix socket")
		}
		if _, err := client.Listen("unix", "/tmp/x"); err == nil {
			t.Error("listened on a unix socket")
		}
		// The other variant's hosts are not found by name.
		fixed, err := r.Variant("fixed").Host("client")
		if err != nil {
			return err
		}
		if _, err := fixed.DialContext(ctx, "tcp", "server:80"); !errors.Is(err, lab.ErrNotOurs) {
			t.Errorf("dialled into the other variant: %v", err)
		}
		pc, err := client.ListenPacket("udp", ":0")
		if err != nil {
			return err
		}
		if _, err := pc.WriteTo([]byte("x"), stranger.LocalAddr()); !errors.Is(err, lab.ErrNotOurs) {
			t.Errorf("a datagram to a stranger: %v", err)
		}
		if _, err := client.ListenOutside(ctx); !errors.Is(err, lab.ErrNotOurs) {
			t.Errorf("a socket to the outside, unasked: %v", err)
		}
		return nil
	})
	wantOutcome(t, start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil), lab.Finished, "")
}

// lift is an outside dialer that refuses all with an error of its own.
type lift struct{ asked []string }

var errLift = errors.New("out of order")

func (l *lift) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	l.asked = append(l.asked, network+" "+address)
	return nil, errLift
}

func (l *lift) ListenPacket(context.Context) (net.PacketConn, error) { return nil, errLift }

func TestALabForTheOutsideGoesThroughTheRunnersDialer(t *testing.T) {
	i, out := info(), &lift{}
	i.Outside = true
	l, err := lab.New(i, func(ctx context.Context, _ struct{}, r *lab.Run) error {
		_, client, _, err := pair(r)
		if err != nil {
			return err
		}
		if _, err := client.DialContext(ctx, "tcp", "example.org:443"); !errors.Is(err, errLift) {
			t.Errorf("outside: %v", err)
		}
		if _, err := client.ListenOutside(ctx); !errors.Is(err, errLift) {
			t.Errorf("a socket to the outside: %v", err)
		}
		c, err := client.DialContext(ctx, "tcp", "server:80")
		if err != nil {
			t.Errorf("its own listener: %v", err)
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}, Outside: out}), "echo", nil), lab.Finished, "")
	if len(out.asked) != 1 || out.asked[0] != "tcp example.org:443" {
		t.Errorf("asked for %q", out.asked)
	}
}

func TestAnOutsiderHasNoHost(t *testing.T) {
	address := make(chan string, 1)
	l := labOf(t, func(_ context.Context, r *lab.Run) error {
		_, _, l, err := pair(r)
		if err != nil {
			return err
		}
		address <- l.Addr().String()
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if name := r.HostOf(c.RemoteAddr()); name != "" {
			t.Errorf("the outsider is taken for %q", name)
		}
		return nil
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	c, err := net.Dial("tcp", <-address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantOutcome(t, rec, lab.Finished, "")
	// All that the run had opened is closed.
	if _, err := bufio.NewReader(c).ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}

func TestSocketsEndWithTheRunWhateverTheLabDoes(t *testing.T) {
	for _, network := range []string{"loopback", "link"} {
		ready := make(chan struct{})
		l := labOf(t, func(_ context.Context, r *lab.Run) error {
			_, _, l, err := pair(r)
			if err != nil {
				return err
			}
			close(ready)
			_, err = l.Accept() // nobody comes
			return err
		})
		rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}})
		rec := start(t, rn, "echo", url.Values{"network": {network}})
		<-ready
		if err := rn.Stop(rec.ID); err != nil {
			t.Error(err)
		}
		wantOutcome(t, rec, lab.Stopped, "by hand")
	}
}

func TestAClassIsLetInWhereTheServerSaysSo(t *testing.T) {
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		_, client, open, err := pair(r)
		if err != nil {
			return err
		}
		private, err := client.Listen("tcp", "localhost:0")
		if err != nil {
			return err
		}
		for l, want := range map[net.Listener]string{open: "127.0.0.2", private: "127.0.0.1"} {
			if host, _, _ := net.SplitHostPort(l.Addr().String()); host != want {
				t.Errorf("listens on %s, want %s", l.Addr(), want)
			}
			c, err := client.DialContext(ctx, "tcp", l.Addr().String())
			if err != nil {
				return err
			}
			c.Close()
		}
		c, err := client.DialContext(ctx, "tcp", "server:80")
		if err != nil {
			return err
		}
		return c.Close()
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}, Listen: netip.MustParseAddr("127.0.0.2")})
	wantOutcome(t, start(t, rn, "echo", nil), lab.Finished, "")
}

func TestAServiceOnTCPAndUDPHasOnePort(t *testing.T) {
	onBoth(t, func(ctx context.Context, r *lab.Run) error {
		server, err := r.Host("server")
		if err != nil {
			return err
		}
		for range 10 { // another program may have the port just then
			pc, err := server.ListenPacket("udp", ":53")
			if err != nil {
				return err
			}
			if r.Network() == lab.Loopback && r.HostOf(pc.LocalAddr()) != "server" {
				return fmt.Errorf("what %s sends is not known to be the server's", pc.LocalAddr())
			}
			l, err := server.Listen("tcp", ":53")
			if err != nil {
				return err
			}
			udp, tcp := pc.LocalAddr().(*net.UDPAddr).Port, l.Addr().(*net.TCPAddr).Port
			if udp == tcp {
				return nil
			}
			pc.Close()
			l.Close()
		}
		return errors.New("TCP and UDP never got the same port")
	}, nil)
}
