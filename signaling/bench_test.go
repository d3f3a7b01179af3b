package signaling

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// unlimited are limits that a benchmark does not meet.
var unlimited = Config{
	JoinRate: 1e9, JoinBurst: 1e9, CreateRate: 1e9, CreateBurst: 1e9, MaxRooms: 1e6, MaxSockets: 1e6,
	MessageRate: 1e9, MessageBurst: 1e9, ByteRate: 1e12, ByteBurst: 1 << 40,
}

// BenchmarkSignals sends signals of the size of a candidate through rooms of
// two, from one client through the server to the other, all in this process.
func BenchmarkSignals(b *testing.B) {
	for _, rooms := range []int{1, 8} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			addr, hub, end := benchHub(b)
			defer end()
			var wg sync.WaitGroup
			pairs := make([][2]*wire, rooms)
			ids := make([]string, rooms)
			for i := range pairs {
				room, err := hub.Create(netip.MustParseAddr("192.0.2.1"))
				if err != nil {
					b.Fatal(err)
				}
				from, _ := benchJoin(b, addr, room)
				to, w := benchJoin(b, addr, room)
				next[*envelope.PeerJoined](from)
				pairs[i], ids[i] = [2]*wire{from, to}, w.Self.ID
			}
			text := strings.Repeat("c", 120)
			const window = 64 // under way at once, so that nobody is too slow
			b.ResetTimer()
			start := time.Now()
			for i, pair := range pairs {
				n := b.N / rooms
				tokens := make(chan struct{}, window)
				wg.Go(func() {
					for range n {
						tokens <- struct{}{}
						pair[0].candidate(ids[i], text)
					}
				})
				wg.Go(func() {
					for range n {
						if _, _, err := pair[1].ws.ReadMessage(); err != nil {
							b.Error(err)
							return
						}
						<-tokens
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N/rooms*rooms)/time.Since(start).Seconds(), "msgs/s")
		})
	}
}

// BenchmarkIdleSockets measures what 5,000 members cost that do nothing. The
// clients live in another process. Once is enough: -benchtime 1x.
func BenchmarkIdleSockets(b *testing.B) {
	const sockets, perRoom = 5000, 8
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < sockets+100 {
		b.Skipf("needs ulimit -n of %d, has %d", sockets+100, limit.Cur)
	}
	for b.Loop() {
		addr, hub, end := benchHub(b)
		heap, rss := memory(b)
		var rooms []string
		for range sockets / perRoom {
			room, err := hub.Create(netip.MustParseAddr("192.0.2.1"))
			if err != nil {
				b.Fatal(err)
			}
			rooms = append(rooms, room)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestIdleClients$", "-test.v")
		cmd.Env = append(os.Environ(), "PEERLAB_IDLE="+addr+" "+strconv.Itoa(perRoom)+" "+strings.Join(rooms, " "))
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		}
		if s := hub.Stats(); s.Sockets != sockets || s.Peers != sockets || s.Away != 0 {
			b.Fatalf("stats %+v", s)
		}
		heap2, rss2 := memory(b)
		b.ReportMetric(float64(heap2-heap)/sockets, "go-B/socket")
		b.ReportMetric(float64(rss2-rss)/sockets, "rss-B/socket")
		b.ReportMetric(float64(runtime.NumGoroutine())/sockets, "goroutines/socket")
		in.Close()
		cmd.Wait()
		end()
	}
}

// TestIdleClients is the other process of BenchmarkIdleSockets.
func TestIdleClients(t *testing.T) {
	args := strings.Fields(os.Getenv("PEERLAB_IDLE"))
	if len(args) == 0 {
		t.Skip("runs as a part of BenchmarkIdleSockets")
	}
	perRoom, err := strconv.Atoi(args[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range args[2:] {
		for range perRoom {
			c, _ := benchJoin(t, args[0], room)
			go func() { // take the pings and what is said of the others
				for {
					if _, _, err := c.ws.NextReader(); err != nil {
						return
					}
				}
			}()
		}
	}
	fmt.Println("\nready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

func benchHub(b *testing.B) (addr string, hub *Hub, end func()) {
	b.Helper()
	hub, err := NewHub(unlimited)
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rooms/{room}/ws", func(w http.ResponseWriter, r *http.Request) {
		hub.ServeWS(w, r, r.PathValue("room"))
	})
	server := &http.Server{Handler: mux}
	go server.Serve(ln)
	return ln.Addr().String(), hub, func() {
		server.Close()
		hub.Close()
	}
}

func benchJoin(t testing.TB, addr, room string) (*wire, *envelope.Welcome) {
	t.Helper()
	d := websocket.Dialer{ReadBufferSize: 1024, WriteBufferSize: 1024}
	ws, _, err := d.Dial("ws://"+addr+"/rooms/"+room+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	c := &wire{t, ws}
	c.send(`{"type":"join","v":1,"name":"x","kind":"browser"}`)
	w := next[*envelope.Welcome](c)
	ws.SetReadDeadline(time.Time{})
	return c, w
}

// memory returns what Go has in use, stacks included, and the resident set.
func memory(b *testing.B) (inUse, rss int64) {
	b.Helper()
	for range 8 { // the later ones shrink stacks and empty pools
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("the resident set is read from /proc: ", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return int64(m.HeapAlloc + m.StackInuse), pages * int64(os.Getpagesize())
}
