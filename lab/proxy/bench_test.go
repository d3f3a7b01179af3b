package proxy

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"peerlab/need"
)

// answerSize is how many bytes the upstream of the benchmark answers.
const answerSize = 512

// BenchmarkReverse sends requests through reverse proxies from 16 clients at
// a time, with connections kept on both sides: those of the lab, a plain
// httputil.ReverseProxy, and if PEERLAB_BENCH is set Debian's nginx. The clients
// and the upstream are in the same process and take most of its time.
func BenchmarkReverse(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(answerSize))
		io.CopyN(w, exes{}, answerSize)
	}))
	defer up.Close()
	to, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("none", func(b *testing.B) { drive(b, up.URL) })
	for _, name := range []string{viaDirector, viaRewrite} {
		b.Run(name, func(b *testing.B) {
			s := setting{dialer: &dialer{dial: new(net.Dialer).DialContext}, pool: newPool(0), rest: time.Second}
			if name == viaRewrite {
				s.idle, s.pool = benchClients, newPool(benchClients)
			}
			p, _ := newReverse(name, []string{to.Host}, s)
			behind(b, p)
		})
	}
	b.Run("plain", func(b *testing.B) {
		p := httputil.NewSingleHostReverseProxy(to)
		p.ErrorLog = log.New(io.Discard, "", 0)
		behind(b, p)
	})
	b.Run("nginx", func(b *testing.B) { drive(b, nginx(b, to.Host)) })
}

// behind drives requests through a handler.
func behind(b *testing.B, h http.Handler) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	drive(b, srv.URL)
}

// benchClients is how many requests are on their way at a time.
const benchClients = 16

// drive measures requests to one place.
func drive(b *testing.B, url string) {
	t := &http.Transport{MaxIdleConnsPerHost: benchClients * 2, DisableCompression: true}
	defer t.CloseIdleConnections()
	c := &http.Client{Transport: t}
	b.ReportAllocs()
	b.SetParallelism(benchClients / 2) // times GOMAXPROCS
	begin := cpu(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := c.Get(url)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || n != answerSize || resp.StatusCode != http.StatusOK {
				b.Errorf("%s, %d bytes, %v", resp.Status, n, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64((cpu(b)-begin).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpu is the time this process has used the processors for. It depends less
// than requests/s on what else the machine does, and leaves nginx's own out.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nginx starts Debian's nginx before the upstream and returns its URL.
func nginx(b *testing.B, upstream string) string {
	if os.Getenv("PEERLAB_BENCH") == "" {
		b.Skip("set PEERLAB_BENCH=1 to measure nginx too")
	}
	program := need.Tool(b, "nginx", "nginx-light")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	at := l.Addr().String()
	l.Close() // nginx can't be given a listener; nobody else is likely to take this port now
	dir := b.TempDir()
	conf := fmt.Sprintf(`daemon off;
worker_processes 2;
pid %[1]s/pid;
error_log stderr error;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	keepalive_requests 1000000;
	upstream up { server %[2]s; keepalive 32; keepalive_requests 1000000; }
	server {
		listen %[3]s;
		location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
`, dir, upstream, at)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	cmd := exec.CommandContext(ctx, program, "-p", dir, "-c", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stop()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() > 0 {
			b.Errorf("nginx: %v", err)
		}
	})
	dial := net.Dialer{Timeout: time.Second}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if c, err := dial.DialContext(ctx, "tcp", at); err == nil {
			c.Close()
			return "http://" + at
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	b.Fatal("nginx does not listen")
	return ""
}
