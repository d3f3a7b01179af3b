package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestOneAddressHoldsOnlySoManyConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	favoured := netip.MustParseAddr("127.0.0.9")
	l := limitPerAddress(inner, 2, func(a netip.Addr) bool { return a == favoured })
	accepted := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })

	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	closedByServer := func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := c.Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}

	dial("127.0.0.1")
	dial("127.0.0.1")
	first, second := <-accepted, <-accepted
	defer second.Close()
	if !closedByServer(dial("127.0.0.1")) {
		t.Error("a third connection of the same address was let in")
	}
	dial("127.0.0.2")
	defer (<-accepted).Close()
	for range 3 {
		dial("127.0.0.9")
		defer (<-accepted).Close()
	}

	first.Close()
	first.Close() // a second Close must not free a second place
	dial("127.0.0.1")
	defer (<-accepted).Close()
	if !closedByServer(dial("127.0.0.1")) {
		t.Error("closing one connection twice made room for two")
	}
}
