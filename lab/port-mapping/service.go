package portmapping

import (
	"context"
	"io"
	"net"
	"strconv"

	"peerlab/lab"
)

// listen starts a program on a port of a host that says its greeting to whoever
// comes, and returns what ends it.
func listen(r *lab.Run, host *lab.Host, transport string, port int, greeting string) (end func() error, err error) {
	at := ":" + strconv.Itoa(port)
	if transport == "udp" {
		pc, err := host.ListenPacket("udp", at)
		if err != nil {
			return nil, err
		}
		r.Go(func(context.Context) error { return answer(pc, greeting) })
		return pc.Close, nil
	}
	l, err := host.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	r.Go(func(context.Context) error { return greet(l, greeting, func(net.Addr) {}) })
	return l.Close, nil
}

// greet says the greeting to everybody who connects, until the listener is closed.
func greet(l net.Listener, greeting string, met func(net.Addr)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return nil // closed
		}
		met(c.RemoteAddr())
		io.WriteString(c, greeting) // a few bytes: they fit into any socket's buffer
		c.Close()
	}
}

// answer says it to everybody who sends something.
func answer(pc net.PacketConn, greeting string) error {
	buf := make([]byte, 64)
	for {
		_, from, err := pc.ReadFrom(buf)
		if err != nil {
			return nil // closed
		}
		pc.WriteTo([]byte(greeting), from) // a datagram may get lost anyhow
	}
}
