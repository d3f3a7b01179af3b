package testdata

import "net"

func serve(l net.Listener) error {
	// region accept
	for {
		c, err := l.Accept()
		if err != nil {
			return err // "closed"
		}
		go c.Close()
	}
	// endregion
}
