package dnslab

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// alteredName has a record that was changed after it had been signed.
const alteredName = "altered." + domain

// sign makes a key for the zone, links its names by NSEC records and signs
// every set of records (RFC 4034). Then one record is altered.
func (z *zone) sign() error {
	key := &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: z.origin, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	private, err := key.Generate(256)
	if err != nil {
		return fmt.Errorf("a key for %s: %w", z.origin, err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return fmt.Errorf("a key for %s: it can't sign", z.origin)
	}
	z.key, z.signer = key, signer
	z.put(key)
	ttl := z.sets[z.origin][dns.TypeSOA][0].(*dns.SOA).Minttl
	for i, owner := range z.order {
		types := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
		for t := range z.sets[owner] {
			types = append(types, t)
		}
		slices.Sort(types)
		z.put(&dns.NSEC{
			Hdr:        dns.RR_Header{Name: owner, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: ttl},
			NextDomain: z.order[(i+1)%len(z.order)], TypeBitMap: types,
		})
	}
	for owner, sets := range z.sets {
		for t := range sets {
			if err := z.signSet(owner, t); err != nil {
				return err
			}
		}
	}
	altered := dns.Copy(z.sets[alteredName][dns.TypeA][0]).(*dns.A)
	altered.A[len(altered.A)-1]++
	z.sets[alteredName][dns.TypeA] = []dns.RR{altered}
	return nil
}

// signSet signs the records of one owner and type, from an hour ago (clocks
// differ) until tomorrow.
func (z *zone) signSet(owner string, rrtype uint16) error {
	if z.signer == nil {
		return nil
	}
	now := time.Now()
	sig := &dns.RRSIG{
		Algorithm: z.key.Algorithm, KeyTag: z.key.KeyTag(), SignerName: z.origin,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(24 * time.Hour).Unix()),
	}
	if err := sig.Sign(z.signer, z.sets[owner][rrtype]); err != nil {
		return fmt.Errorf("signing %s %s: %w", owner, dns.TypeToString[rrtype], err)
	}
	if z.sigs[owner] == nil {
		z.sigs[owner] = map[uint16]*dns.RRSIG{}
	}
	z.sigs[owner][rrtype] = sig
	return nil
}

// anchor is what the zone above would publish: the hash of our key. Who has it
// from there, or from here, can tell our key from another one.
func (z *zone) anchor() *dns.DS { return z.key.ToDS(dns.SHA256) }

// Why records are not proven.
var (
	errUnsigned  = errors.New("no signature came with it")
	errWrongKey  = errors.New("the key is not the one that the anchor has the hash of")
	errNoGap     = errors.New("no record says that there is nothing at this name")
	errOutOfTime = errors.New("the signature is not valid now")
)

// region validate

// validate checks records against their signature, the signature's key, and
// the key against the anchor: a chain from something known beforehand to what
// came over the network.
func validate(records []dns.RR, keys []dns.RR, anchor *dns.DS) error {
	sets, sigs := map[string][]dns.RR{}, map[string]*dns.RRSIG{}
	for _, rr := range records {
		h := rr.Header()
		if sig, ok := rr.(*dns.RRSIG); ok {
			sigs[dns.CanonicalName(h.Name)+dns.TypeToString[sig.TypeCovered]] = sig
			continue
		}
		id := dns.CanonicalName(h.Name) + dns.TypeToString[h.Rrtype]
		sets[id] = append(sets[id], rr)
	}
	key := trusted(keys, anchor)
	if key == nil {
		return errWrongKey
	}
	if len(sets) == 0 {
		return errUnsigned
	}
	for id, set := range sets {
		sig := sigs[id]
		switch {
		case sig == nil:
			return errUnsigned
		case !sig.ValidityPeriod(time.Now()):
			return errOutOfTime
		}
		if err := sig.Verify(key, set); err != nil {
			return fmt.Errorf("the signature of %s: %w", set[0].Header().Name, err)
		}
	}
	return nil
}

// trusted is the key that the anchor has the hash of.
func trusted(keys []dns.RR, anchor *dns.DS) *dns.DNSKEY {
	for _, rr := range keys {
		if key, ok := rr.(*dns.DNSKEY); ok {
			if ds := key.ToDS(anchor.DigestType); ds != nil && ds.Digest == anchor.Digest && ds.KeyTag == anchor.KeyTag {
				return key
			}
		}
	}
	return nil
}

// deniedBy tells whether NSEC records prove that a name does not exist, and
// that no wildcard stands in for it (RFC 4035 section 5.4). That would be right
// below the closest name above that exists, which one of the two names around
// the gap lies below, or is.
func deniedBy(records []dns.RR, name string) error {
	around := gap(records, name)
	if around == nil {
		return errNoGap
	}
	above := parent(name)
	for !dns.IsSubDomain(above, around.Hdr.Name) && !dns.IsSubDomain(above, around.NextDomain) {
		above = parent(above)
	}
	if gap(records, "*."+above) == nil {
		return errNoGap
	}
	return nil
}

// gap finds the NSEC record of two names between which a name would lie, where
// there is nothing. After the last name comes the first.
func gap(records []dns.RR, name string) *dns.NSEC {
	for _, rr := range records {
		if nsec, ok := rr.(*dns.NSEC); ok && compareNames(nsec.Hdr.Name, name) < 0 &&
			(compareNames(name, nsec.NextDomain) < 0 || compareNames(nsec.NextDomain, nsec.Hdr.Name) <= 0) {
			return nsec
		}
	}
	return nil
}

// endregion
