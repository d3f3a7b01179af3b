package dnslab_test

import (
	"testing"

	"peerlab/lab"
	dnslab "peerlab/lab/dns"
	"peerlab/lab/labtest"
)

func theLab(t testing.TB) *lab.Lab {
	t.Helper()
	l, err := dnslab.Lab()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "delay=5&stay=0&pace=100") }
