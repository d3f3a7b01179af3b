// Package ping is the lab that ADDING_A_LAB.md builds: datagrams there and
// back, timed.
package ping

import (
	"context"
	"embed"
	"fmt"
	"net"
	"slices"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

//go:embed lab.md lab.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Count int           `lab:"count" label:"Datagrams" default:"10" min:"1" max:"200" unit:"datagrams"`
	Pace  time.Duration `lab:"pace" label:"Pace" default:"50" max:"1000" unit:"ms" help:"between two of them"`
	Wait  time.Duration `lab:"wait" label:"Patience" default:"500" min:"10" max:"5000" unit:"ms" help:"for an answer, then it is lost"`
	Stay  time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"on the loopback, for you"`
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "ping", Title: "There and back", Chapter: "TCP and UDP", Question: 402,
		Ask:      "How long does a datagram take there and back, and how do you know that one is lost?",
		Files:    files,
		Views:    []lab.View{lab.Lanes, lab.Chart, lab.Packets, lab.LogLines},
		Commands: []lab.Command{{Text: "nc -u {host} {port}", Note: "Type a line: it comes back."}},
	}, run)
}

func run(ctx context.Context, p Params, r *lab.Run) error {
	server, err := r.Host("server")
	if err != nil {
		return err
	}
	client, err := r.Host("client")
	if err != nil {
		return err
	}
	pc, err := server.ListenPacket("udp", ":7")
	if err != nil {
		return err
	}
	r.LiveAt(pc.LocalAddr(), "port")
	r.Go(func(context.Context) error { return echo(pc) })

	c, err := client.DialContext(ctx, "udp", "server:7")
	if err != nil {
		return err
	}
	if err := ask(ctx, p, r, c); err != nil || r.Network() == lab.Link {
		return err
	}
	return r.Sleep(ctx, p.Stay)
}

// region echo

// echo sends every datagram back to where it came from.
func echo(pc net.PacketConn) error {
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return err // the run is over: its sockets are closed
		}
		if _, err := pc.WriteTo(buf[:n], from); err != nil {
			return err
		}
	}
}

// endregion

// region ask

// ask sends the datagrams and times the answers. A deadline is all that tells
// a lost one from a late one.
func ask(ctx context.Context, p Params, r *lab.Run, c net.Conn) error {
	var times []time.Duration
	buf := make([]byte, 1500)
	for i := range p.Count {
		text := fmt.Sprintf("ping %d", i+1)
		sent := time.Now()
		if _, err := c.Write([]byte(text)); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		r.Message(trace.App, "client", "server", "ping", text)
		c.SetReadDeadline(sent.Add(p.Wait))
		for {
			n, err := c.Read(buf)
			if err != nil {
				r.Note("No answer to %q within %s.", text, p.Wait)
				break
			}
			if string(buf[:n]) != text {
				continue // the late answer to an earlier one
			}
			took := time.Since(sent)
			times = append(times, took)
			r.Message(trace.App, "server", "client", "pong", text)
			r.Sample(trace.App, "client", "round trip", lab.Milliseconds(took), "ms")
			break
		}
		if err := r.Sleep(ctx, p.Pace); err != nil {
			return err
		}
	}
	r.Fact("answers missing", float64(p.Count-len(times)), "datagrams")
	if len(times) > 0 {
		slices.Sort(times)
		r.Fact("round trip, median", lab.Milliseconds(times[len(times)/2]), "ms")
	}
	return nil
}

// endregion
