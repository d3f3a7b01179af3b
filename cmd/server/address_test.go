package main

import (
	"errors"
	"testing"

	"peerlab/nat"
	"peerlab/signaling/envelope"
)

func TestAGoPeerTellsOnlyThatThereIsNoNAT(t *testing.T) {
	t.Parallel()
	w := newAddressWatch(nil)
	for _, c := range []struct {
		report *nat.Report
		want   envelope.NAT
		err    error
	}{
		{nil, envelope.NAT{}, errNATUntold},
		{&nat.Report{Verdict: nat.Verdict{Kind: nat.SingleNAT}}, envelope.NAT{}, errNATUntold},
		{&nat.Report{Verdict: nat.Verdict{Kind: nat.Direct}}, envelope.NAT{Mapping: "none"}, nil},
	} {
		w.report = c.report
		if got, err := w.nat(t.Context(), nil); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("after %+v: %+v, %v; want %+v, %v", c.report, got, err, c.want, c.err)
		}
	}
}
