package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

func TestRunsAreBoundedAtATimeAndByClient(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}, MaxRunning: 5, MaxPerClient: 3})
	try := func(addr string) error {
		_, err := rn.Start(netip.MustParseAddr(addr), "echo", nil)
		return err
	}
	for _, c := range []struct {
		addr string
		want error
	}{
		{"2001:db8:1:2::1", nil}, {"2001:db8:1:2:ffff::1", nil}, {"2001:db8:1:2::3", nil},
		{"2001:db8:1:2::4", lab.ErrYourRuns}, // one /64 is one client
		{"192.0.2.1", nil}, {"::ffff:192.0.2.1", nil},
		{"192.0.2.9", lab.ErrBusy},
	} {
		if err := try(c.addr); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.addr, err, c.want)
		}
	}
	if n := len(rn.Runs()); n != 5 {
		t.Errorf("%d runs listed", n)
	}
	for _, rec := range rn.Runs()[:2] {
		if err := rn.Stop(rec.ID); err != nil {
			t.Error(err)
		}
		<-rec.Done()
	}
	if err := try("192.0.2.9"); err != nil {
		t.Errorf("after two have ended: %v", err)
	}
}

func TestTwoHundredRunsAtOnceAreBoundedAndMemoryReturns(t *testing.T) {
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		for range 500 {
			r.Note("%s", strings.Repeat("x", 1000))
		}
		return untilEnd(ctx, r)
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}, MaxRunning: 8, MaxPerClient: 200, MaxKept: 4})
	before := heap()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var started []*lab.Record
	busy := 0
	for range 200 {
		wg.Go(func() {
			rec, err := rn.Start(client, "echo", nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				started = append(started, rec)
			case errors.Is(err, lab.ErrBusy) && strings.Contains(err.Error(), "the most is 8"):
				busy++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(started) != 8 || busy != 192 {
		t.Fatalf("%d started, %d told that it is busy", len(started), busy)
	}
	var ids []string
	for _, rec := range started {
		ids = append(ids, rec.ID)
		if err := rn.Stop(rec.ID); err != nil {
			t.Error(err)
		}
		<-rec.Done()
	}
	started = nil
	kept := 0
	for _, id := range ids {
		if _, err := rn.Get(id); err == nil {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d runs kept, want 4", kept)
	}
	// Four records of 500 notes of 1 kB, not 200.
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d bytes more than before", grown)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestKeptRunsAreTheLatestUsed(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, func(context.Context, *lab.Run) error { return nil })}, MaxKept: 2})
	var ids []string
	for range 3 {
		rec := start(t, rn, "echo", nil)
		<-rec.Done()
		ids = append(ids, rec.ID)
		if _, err := rn.Get(ids[0]); err != nil {
			t.Errorf("the first, always used, is gone: %v", err)
		}
	}
	if _, err := rn.Get(ids[1]); !errors.Is(err, lab.ErrNoRun) {
		t.Errorf("the second: %v", err)
	}
	if len(ids[0]) < 26 || ids[0] == ids[2] {
		t.Errorf("ids %q can be guessed", ids)
	}
}

func TestARecordIsBoundedAndSaysSo(t *testing.T) {
	l := labOf(t, func(_ context.Context, r *lab.Run) error {
		end := r.Begin(trace.App, "a", "talk")
		for range 1000 {
			r.Note("%s", strings.Repeat("ä", 2000))
		}
		r.Fact("told", 1000, "notes")
		r.Verdict(lab.Good, "talkative")
		end("enough")
		return nil
	})
	for name, cfg := range map[string]lab.Config{"events": {MaxEvents: 100}, "bytes": {MaxEventBytes: 64 << 10}} {
		t.Run(name, func(t *testing.T) {
			cfg.Labs = []*lab.Lab{l}
			rec := start(t, newRunner(t, cfg), "echo", nil)
			<-rec.Done()
			events := rec.Log.Events()
			if len(events) > 120 || rec.Dropped() < 800 {
				t.Errorf("%d events, %d dropped", len(events), rec.Dropped())
			}
			tail := events[len(events)-5:]
			if tail[0].Kind != trace.Fact || tail[1].Text != "talkative" || tail[2].Text != "enough" || !strings.Contains(tail[3].Text, "left out") || tail[4].Text != "Finished." {
				t.Errorf("the record ends with %+v", tail)
			}
			if len(events[1].Text) > 1100 {
				t.Errorf("a text of %d bytes", len(events[1].Text))
			}
			if rec.Document().Dropped != rec.Dropped() {
				t.Error("the document tells another number of dropped events")
			}
		})
	}
}

func TestActionsThatNobodyTakesAreBounded(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}})
	rec := start(t, rn, "echo", nil)
	var err error
	for range 100 {
		if err = rn.Act(rec.ID, "poke"); err != nil {
			break
		}
	}
	if !errors.Is(err, lab.ErrTooFast) {
		t.Errorf("after 100: %v", err)
	}
}

func TestPacketsAreBounded(t *testing.T) {
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		_, client, l, err := pair(r)
		if err != nil {
			return err
		}
		r.Go(func(context.Context) error {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = io.Copy(io.Discard, c)
			return err
		})
		c, err := client.DialContext(ctx, "tcp", "server:80")
		if err != nil {
			return err
		}
		if _, err := c.Write(make([]byte, 500_000)); err != nil {
			return err
		}
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			return err
		}
		_, err = io.ReadAll(c) // until all has arrived
		return err
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}, MaxPacketBytes: 50_000})
	rec := start(t, rn, "echo", url.Values{"network": {"link"}, "delay": {"0"}})
	wantOutcome(t, rec, lab.Finished, "")
	var file bytes.Buffer
	if err := rec.WritePcapng(&file); err != nil {
		t.Fatal(err)
	}
	if kept, left := rec.Packets(); kept == 0 || left == 0 || file.Len() > 60_000 {
		t.Errorf("%d packets kept, %d not, a file of %d bytes", kept, left, file.Len())
	}
}

func TestSocketsAreBounded(t *testing.T) {
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		server, client, l, err := pair(r)
		if err != nil {
			return err
		}
		if _, err := server.Listen("tcp", ":80"); err == nil {
			t.Error("two listeners on one port")
		}
		r.Go(func(context.Context) error {
			for {
				if _, err := l.Accept(); err != nil {
					return err
				}
			}
		})
		for {
			if _, err := client.DialContext(ctx, "tcp", "server:80"); err != nil {
				return err
			}
		}
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}, MaxSockets: 10})
	rec := start(t, rn, "echo", nil)
	wantOutcome(t, rec, lab.Failed, "too many sockets are open in this run: the most is 10")
	if _, _, err := rec.Status(); !errors.Is(err, lab.ErrSockets) {
		t.Errorf("error %v", err)
	}
}

func TestOutsidersLeaveRoomForTheRun(t *testing.T) {
	const most = 20
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		_, client, l, err := pair(r)
		if err != nil {
			return err
		}
		accepted := make(chan net.Conn, most)
		r.Go(func(context.Context) error {
			for {
				c, err := l.Accept()
				if err != nil {
					return nil
				}
				accepted <- c // and stays open
			}
		})
		for i := range most {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			if i < most/2 {
				<-accepted
				continue
			}
			c.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("outsider %d is not hung up on: %v", i+1, err)
			}
		}
		for range 3 {
			if _, err := client.DialContext(ctx, "tcp", "server:80"); err != nil {
				t.Errorf("the run's own client finds no room: %v", err)
			}
		}
		return nil
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}, MaxSockets: most}), "echo", nil)
	wantOutcome(t, rec, lab.Finished, "")
}

func TestHostNames(t *testing.T) {
	onBoth(t, func(_ context.Context, r *lab.Run) error {
		for _, bad := range []string{"", "a b", "a/b", strings.Repeat("a", 41), "Ä"} {
			if _, err := r.Host(bad); !errors.Is(err, lab.ErrHost) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		var err error
		for i := range 65 {
			if _, err = r.Host(fmt.Sprintf("h%d", i)); err != nil {
				break
			}
		}
		if err == nil {
			t.Error("any number of hosts")
		}
		a, err := r.Host("h0")
		if err != nil {
			return err
		}
		if b, err := r.Host("h0"); a != b || err != nil {
			t.Errorf("two hosts of one name: %v", err)
		}
		return nil
	}, nil)
}
