package tcpserver

import "net"

// naive is the server one writes first. It works, on the desk of its author.
type naive struct {
	spawn func(net.Conn, func()) // go, watched
}

// region naive
func (s *naive) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		s.spawn(c, func() { s.handle(c) }) // as many as come
	}
}

func (s *naive) handle(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for number := 1; ; number++ {
		n, err := c.Read(buf) // waits for ever
		if err != nil {
			return
		}
		// Wrong: n bytes are what happened to be there, not one message.
		if _, err := c.Write(answer(number, buf[:n])); err != nil {
			return
		}
	}
}

// endregion

// Shutdown is what the end of the process does: nothing in particular.
func (s *naive) Shutdown(l net.Listener, open []net.Conn) {
	l.Close()
	for _, c := range open {
		c.Close()
	}
}
