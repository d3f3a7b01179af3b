package latency

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"peerlab/lab"
)

// echo answers datagrams with themselves, on port 7 (RFC 862).
func (o *own) echo(host *lab.Host) error {
	pc, err := host.ListenPacket("udp", "localhost:7")
	if err != nil {
		return err
	}
	o.run.Go(func(ctx context.Context) error {
		buf := make([]byte, 64)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return fmt.Errorf("echo: %w", err)
			}
			if o.run.HostOf(from) == "" {
				continue // not for outsiders: their address may be a lie
			}
			if _, err := pc.WriteTo(buf[:n], from); err != nil && ctx.Err() != nil {
				return err
			}
		}
	})
	return nil
}

// pings is how many datagrams measure the round trip, and patience how long
// each is waited for.
const (
	pings    = 5
	patience = 5 * time.Second
)

// roundTrip measures how long a datagram takes there and back: the least of some,
// as all that can come between makes it longer. ok is false if none came back.
func roundTrip(ctx context.Context, client *lab.Host) (rtt time.Duration, ok bool) {
	c, err := client.DialContext(ctx, "udp", "server:7")
	if err != nil {
		return 0, false
	}
	defer c.Close()
	var all []time.Duration
	for i := range byte(pings) {
		if took, ok := ping(c, i); ok {
			all = append(all, took)
		}
		if ctx.Err() != nil {
			return 0, false
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return slices.Min(all), true
}

// ping sends one datagram and waits for it. A late answer to an earlier one is
// not taken for it.
func ping(c net.Conn, number byte) (time.Duration, bool) {
	sent := time.Now()
	if err := c.SetReadDeadline(sent.Add(patience)); err != nil {
		return 0, false
	}
	if _, err := c.Write([]byte{number}); err != nil {
		return 0, false
	}
	var got [1]byte
	for {
		if _, err := c.Read(got[:]); err != nil {
			return 0, false
		}
		if got[0] == number {
			return time.Since(sent), true
		}
	}
}
