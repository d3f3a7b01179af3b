package selfsigned_test

import (
	"crypto/x509"
	"net/netip"
	"testing"

	"peerlab/selfsigned"
)

func TestOnlyItsOwnRootsVouchForIt(t *testing.T) {
	cert, roots, err := selfsigned.Certificate("server.lab", netip.MustParseAddr("192.0.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	_, others, err := selfsigned.Certificate("server.lab")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		roots *x509.CertPool
		good  bool
	}{
		{"server.lab", roots, true},
		{"192.0.2.7", roots, true},
		{"other.lab", roots, false},
		{"192.0.2.8", roots, false},
		{"server.lab", others, false},
	} {
		_, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: c.name, Roots: c.roots})
		if (err == nil) != c.good {
			t.Errorf("as %s: %v", c.name, err)
		}
	}
}
