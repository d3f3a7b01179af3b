package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun"
	"golang.org/x/net/ipv4"

	"peerlab/e2e/proc"
	"peerlab/need"
	"peerlab/turnsrv"
)

const (
	relayClients = 8  // each with an allocation and a channel
	relayWindow  = 32 // packets of each that are under way
	relayWarmUp  = 500 * time.Millisecond
	relayRun     = 3 * time.Second
	relayPairs   = 5 // alternating runs
)

// TestBenchRelay puts the same load on our relay and on Debian's coturn, in
// turns: clients send ChannelData to a peer that sends it back, with a fixed
// number of packets under way, so that neither loses any. One relayed packet is
// one way of that.
func TestBenchRelay(t *testing.T) {
	onlyForFigures(t)
	rows := [][]string{{"payload", "relay", "packets/s", "CPU a packet", "lost", "packets/s of each run"}}
	for _, size := range []int{160, 1200} {
		results := map[string][]relayFigures{}
		for range relayPairs {
			for _, relay := range []struct {
				name  string
				start func(testing.TB) (string, *proc.Process)
			}{{"Peerlab", ownRelay}, {"coturn", coturnRelay}} {
				results[relay.name] = append(results[relay.name], measureRelay(t, size, relay.start))
			}
		}
		for _, name := range []string{"Peerlab", "coturn"} {
			var rate, cost []float64
			lost, each := 0, ""
			for _, r := range results[name] {
				rate, cost = append(rate, r.rate), append(cost, r.cost)
				lost += r.lost
				each += fmt.Sprintf(" %.0f", r.rate)
			}
			rows = append(rows, []string{fmt.Sprintf("%d B", size), name, fmt.Sprintf("%.0f", median(rate)), fmt.Sprintf("%.2f µs", median(cost)), fmt.Sprint(lost), each})
		}
	}
	t.Log(table(rows))
}

// relayFigures are those of one run.
type relayFigures struct {
	rate float64 // relayed packets a second
	cost float64 // µs of processor time, user and kernel, for one
	lost int
}

func ownRelay(t testing.TB) (string, *proc.Process) {
	s := startServer(t, nil, "--turn-secret", sharedSecret, "--turn-peers", "any")
	return s.turn, s.Process
}

func coturnRelay(t testing.TB) (string, *proc.Process) {
	path := need.Tool(t, "turnserver", "coturn")
	free := dial(t, here, "udp", "127.0.0.1:9")
	port := free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	p := proc.Start(t, "coturn", exec.Command(path, "-n", "--log-file=stdout", "--simple-log", "--use-auth-secret", "--static-auth-secret="+sharedSecret,
		"--realm=coturn.example", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", fmt.Sprintf("--listening-port=%d", port), "--allow-loopback-peers",
		"--no-tls", "--no-dtls", "--no-cli", "--no-stdout-log", "--pidfile="+t.TempDir()+"/pid", "--userdb="+t.TempDir()+"/db"))
	eventually(t, "coturn to answer", patience, func() bool { return answersSTUN(t, here, address) })
	return address, p
}

// measureRelay starts a relay, loads it, and stops it.
func measureRelay(t *testing.T, size int, start func(testing.TB) (string, *proc.Process)) (figures relayFigures) {
	t.Helper()
	t.Run(fmt.Sprintf("%d", size), func(t *testing.T) {
		address, p := start(t)
		peer := batchEcho(t)
		cred := turnsrv.Mint([]byte(sharedSecret), "bench", time.Now().Add(time.Hour))
		var returned, lost atomic.Int64
		stop := make(chan struct{})
		var running sync.WaitGroup
		for range relayClients {
			c := &stunClient{t: t, conn: dial(t, here, "udp", address), entry: iceServer{Username: cred.Username, Credential: cred.Password}}
			c.allocate()
			if code := c.code(stun.MethodChannelBind, channelNumber(0x4000), peerAddress(peer)); code != 0 {
				t.Fatalf("ChannelBind: %d", code)
			}
			running.Go(func() { pingPong(c.conn.(*net.UDPConn), size, stop, &returned, &lost) })
		}
		<-time.After(relayWarmUp)
		began, packets, gone, used := time.Now(), returned.Load(), lost.Load(), cpu(t, p)
		<-time.After(relayRun)
		took := time.Since(began)
		relayed := 2 * float64(returned.Load()-packets) // there and back
		figures = relayFigures{
			rate: relayed / took.Seconds(),
			cost: float64((cpu(t, p) - used).Microseconds()) / relayed,
			lost: int(lost.Load() - gone),
		}
		close(stop)
		running.Wait()
		p.Stop()
	})
	return figures
}

// pingPong sends a window of ChannelData, waits until it is back, and again.
func pingPong(conn *net.UDPConn, size int, stop <-chan struct{}, returned, lost *atomic.Int64) {
	batch := ipv4.NewPacketConn(conn)
	out, in := messages(relayWindow, 4+size), messages(relayWindow, 4+size+4)
	for i := range out {
		binary.BigEndian.PutUint16(out[i].Buffers[0], 0x4000)
		binary.BigEndian.PutUint16(out[i].Buffers[0][2:], uint16(size))
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		for sent := 0; sent < len(out); {
			n, err := batch.WriteBatch(out[sent:], 0)
			if err != nil {
				return
			}
			sent += n
		}
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		for missing := relayWindow; missing > 0; {
			n, err := batch.ReadBatch(in[:missing], 0)
			if err != nil {
				lost.Add(int64(missing))
				break
			}
			missing -= n
			returned.Add(int64(n))
		}
	}
}

func messages(n, size int) []ipv4.Message {
	all := make([]ipv4.Message, n)
	for i := range all {
		all[i].Buffers = [][]byte{make([]byte, size)}
	}
	return all
}

// batchEcho is an echo that costs little.
func batchEcho(t testing.TB) netip.AddrPort {
	t.Helper()
	conn := listenUDP(t, here)
	conn.SetReadBuffer(4 << 20)
	go func() {
		batch, in := ipv4.NewPacketConn(conn), messages(64, 2048)
		out := make([]ipv4.Message, len(in))
		for {
			n, err := batch.ReadBatch(in, 0)
			if err != nil {
				return
			}
			for i := range n {
				out[i] = ipv4.Message{Buffers: [][]byte{in[i].Buffers[0][:in[i].N]}, Addr: in[i].Addr}
			}
			for sent := 0; sent < n; {
				m, err := batch.WriteBatch(out[sent:n], 0)
				if err != nil {
					return
				}
				sent += m
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}
