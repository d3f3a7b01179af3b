package lab_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

func TestAVariantOnTheLinkBesideTheLoopback(t *testing.T) {
	var tapped atomic.Int64
	i := info()
	i.Emulates, i.Defaults = true, map[string]string{"delay": "7"}
	l, err := lab.New(i, func(ctx context.Context, _ struct{}, r *lab.Run) error {
		plain := r.Variant("plain")
		line := netsim.Link{Delay: r.Settings().Delay}
		linked := r.VariantOnLink("linked", lab.Emulation{Link: line, Tap: func(netsim.Packet) { tapped.Add(1) }})
		if r.Variant("linked") != linked {
			return fmt.Errorf("the variant is not found again")
		}
		if linked.Network() != lab.Link || plain.Network() != lab.Loopback {
			return fmt.Errorf("linked on %s, plain on %s", linked.Network(), plain.Network())
		}
		for _, v := range []*lab.Run{plain, linked} {
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
				_, err = io.Copy(c, c)
				return err
			})
			var c net.Conn
			if c, err = client.DialContext(ctx, "tcp", "server:80"); err != nil {
				return err
			}
			if err := c.Close(); err != nil {
				return err
			}
		}
		if plain.Net() != nil || linked.Net().Link().Delay != line.Delay || line.Delay.Milliseconds() != 7 {
			return fmt.Errorf("plain has a net: %v; linked has %+v", plain.Net() != nil, linked.Net().Link())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Params() {
		if p.OnLink {
			t.Errorf("%s is said to mean nothing on the loopback", p.Name)
		}
	}
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", url.Values{})
	wantOutcome(t, rec, lab.Finished, "")
	var file bytes.Buffer
	if err := rec.WritePcapng(&file); err != nil {
		t.Error(err)
	}
	kept, _ := rec.Packets()
	messages := 0
	for _, e := range rec.Log.Events() {
		if e.Kind == trace.Message {
			messages++
		}
	}
	if int64(kept) != tapped.Load() || kept != messages || kept < 4 {
		t.Errorf("%d packets kept, %d tapped, %d in the record", kept, tapped.Load(), messages)
	}
	if rec.Document().Network["delay"] != 7.0 {
		t.Errorf("the record says %v of the delay", rec.Document().Network["delay"])
	}
}

func TestBadDefaults(t *testing.T) {
	for name, text := range map[string]string{"delay": "5000", "colour": "red", "network": "moon"} {
		i := info()
		i.Defaults = map[string]string{name: text}
		if _, err := lab.New(i, nothing[struct{}]); err == nil {
			t.Errorf("a default of %s for %s is taken", text, name)
		}
	}
}
