package netsim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// draws are the random numbers of one direction of one flow: a stream for each kind.
type draws struct {
	from, to string
	proto    byte
	flow     int
	streams  map[Kind]*rand.Rand
}

// next gives the two draws, for loss and for jitter, of the next packet of kind k.
func (d *draws) next(seed uint64, k Kind) (loss, jitter float64) {
	r := d.of(seed, k)
	return r.Float64(), r.Float64()
}

// twice gives the two draws, for being duplicated and for the jitter of the
// copy. They have a stream of their own, so that the other draws stay what they are.
func (d *draws) twice(seed uint64, k Kind) (duplicate, jitter float64) {
	r := d.of(seed, k+" twice")
	return r.Float64(), r.Float64()
}

func (d *draws) of(seed uint64, k Kind) *rand.Rand {
	r := d.streams[k]
	if r == nil {
		if d.streams == nil {
			d.streams = make(map[Kind]*rand.Rand)
		}
		r = d.stream(seed, k)
		d.streams[k] = r
	}
	return r
}

// stream begins the numbers of kind k. The hash is a strong one for its mixing:
// with a weak one the first draws of like flows are alike. Names are closed by
// a zero, so that two different directions never hash the same bytes.
func (d *draws) stream(seed uint64, k Kind) *rand.Rand {
	var text []byte
	for _, v := range []uint64{seed, uint64(d.proto), uint64(d.flow)} {
		text = binary.BigEndian.AppendUint64(text, v)
	}
	for _, name := range []string{d.from, d.to, string(k)} {
		text = append(append(text, name...), 0)
	}
	sum := sha256.Sum256(text)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
}
