package portmapping

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"time"

	"peerlab/nat"
	"peerlab/trace"
)

// maxHeard bounds what is read of a greeting.
const maxHeard = 64

// region reach

// reach tries from outside, as anybody could, and tells what it hears: nothing
// if it is not let in.
func (h *home) reach(ctx context.Context, to netip.AddrPort) (heard string) {
	wait, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	end := h.run.Begin(trace.App, outside, "try "+to.String())
	c, err := h.outside.DialContext(wait, h.p.Service, to.String())
	if err == nil {
		defer c.Close()
		deadline, _ := wait.Deadline()
		c.SetDeadline(deadline)
		heard, err = hear(c, h.p.Service == "udp")
	}
	switch {
	case ctx.Err() != nil:
		end("broken off")
	case heard != "":
		end("heard “" + heard + "”")
	case errors.Is(err, syscall.ECONNREFUSED):
		end("refused: let in, but nobody is there")
	case errors.Is(err, syscall.ENETUNREACH):
		end("no way to that address")
	default:
		end("no answer")
	}
	return heard
}

// endregion

// hear reads a greeting, which has to be asked for by UDP only.
func hear(c io.ReadWriter, ask bool) (string, error) {
	if ask {
		if _, err := io.WriteString(c, "?"); err != nil {
			return "", err
		}
	}
	buf := make([]byte, maxHeard)
	n, err := c.Read(buf)
	return string(buf[:n]), err
}

// patience is the time that a try gets.
func (h *home) patience() time.Duration {
	link := h.run.Settings().Link()
	return h.p.Wait + 4*(link.Delay+link.Jitter)
}

// seenAs asks a STUN server how the internet sees the laptop. Without an answer
// it is the zero Addr.
func (h *home) seenAs(ctx context.Context) (netip.Addr, error) {
	pc, err := h.laptop.ListenPacket("udp", ":0")
	if err != nil {
		return netip.Addr{}, err
	}
	defer pc.Close()
	wait, cancel := context.WithTimeout(ctx, 2*time.Second+h.patience())
	defer cancel()
	end := h.run.Begin(trace.ICE, laptop, "how does the internet see me?")
	seen, err := nat.ExternalOf(wait, pc, []netip.AddrPort{h.stun.Addr()})
	if err != nil {
		end("no answer")
		return netip.Addr{}, ctx.Err()
	}
	end("as " + seen.Addr().String())
	return seen.Addr(), nil
}
