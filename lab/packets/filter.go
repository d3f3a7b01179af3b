package packets

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// expr is a node of a filter.
type expr interface{}

type (
	both   struct{ a, b expr } // and
	either struct{ a, b expr } // or
	not    struct{ e expr }
	// version is of the IP header: 4 or 6.
	version struct{ v byte }
	// protocol is what the IP packet carries.
	protocol struct{ number uint32 }
	// port of TCP, of UDP or (0) of either; src, dst or (both false) one of the two.
	port struct {
		protocol uint32
		side     side
		number   uint32
	}
	host struct {
		side side
		addr netip.Addr
	}
	length struct {
		value uint32
		less  bool
	}
	anything struct{}
)

type side struct{ src, dst bool }

const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// region parse

// parser reads a filter by recursive descent. As for tcpdump "not" binds strongest, and
// "and" and "or" bind alike, from left to right: others would expect "and" first.
type parser struct {
	words    []string
	services services
}

func parseFilter(text string, names services) (expr, error) {
	spaced := strings.NewReplacer("(", " ( ", ")", " ) ", "&&", " and ", "||", " or ", "!", " not ").Replace(text)
	p := &parser{strings.Fields(spaced), names}
	if len(p.words) == 0 {
		return anything{}, nil
	}
	if len(p.words) > maxWords {
		return nil, fmt.Errorf("it has more than %d words", maxWords)
	}
	e, err := p.sequence()
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("%q is one word too many", p.words[0])
	}
	return e, err
}

func (p *parser) sequence() (expr, error) {
	left, err := p.primary()
	for err == nil {
		var right expr
		switch {
		case p.next("and"):
			right, err = p.primary()
			left = both{left, right}
		case p.next("or"):
			right, err = p.primary()
			left = either{left, right}
		default:
			return left, nil
		}
	}
	return nil, err
}

func (p *parser) primary() (expr, error) {
	switch {
	case p.next("not"):
		e, err := p.primary()
		return not{e}, err
	case p.next("("):
		e, err := p.sequence()
		if err == nil && !p.next(")") {
			err = fmt.Errorf("a ) is missing")
		}
		return e, err
	case p.next("ip"):
		return version{4}, nil
	case p.next("ip6"):
		return version{6}, nil
	case p.next("icmp"):
		return protocol{protoICMP}, nil
	case p.next("less"):
		n, err := p.number("less", 1<<16)
		return length{n, true}, err
	case p.next("greater"):
		n, err := p.number("greater", 1<<16)
		return length{n, false}, err
	}
	return p.qualified()
}

// endregion

// services are ports by name. On the loopback the run's servers are elsewhere
// than on the link, and so are these.
type services map[string]uint32

func (s services) has(port uint32) bool {
	for _, n := range s {
		if n == port {
			return true
		}
	}
	return false
}

var usual = services{"domain": 53, "http": 80, "https": 443}

// maxWords keeps a program, and the nesting, within bounds.
const maxWords = 40

// qualified reads [tcp|udp] [src|dst] port N, and [src|dst] host A.
func (p *parser) qualified() (expr, error) {
	var proto uint32
	switch {
	case p.next("tcp"):
		proto = protoTCP
	case p.next("udp"):
		proto = protoUDP
	}
	s := side{src: p.next("src")}
	s.dst = !s.src && p.next("dst")
	switch {
	case p.next("port"):
		if len(p.words) > 0 && p.services[p.words[0]] != 0 {
			return port{proto, s, p.services[p.word()]}, nil
		}
		n, err := p.number("port", 1<<16-1)
		return port{proto, s, n}, err
	case proto == 0 && p.next("host"):
		word := p.word()
		a, err := netip.ParseAddr(word)
		if err != nil || !a.Is4() {
			return nil, fmt.Errorf("%q is not an IPv4 address", word)
		}
		return host{s, a}, nil
	case proto != 0 && s == side{}:
		return protocol{proto}, nil
	}
	if word := p.word(); word != "" {
		return nil, fmt.Errorf("%q is not understood there", word)
	}
	return nil, fmt.Errorf("it ends too early")
}

func (p *parser) next(word string) bool {
	if len(p.words) == 0 || p.words[0] != word {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) word() string {
	if len(p.words) == 0 {
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *parser) number(what string, most uint64) (uint32, error) {
	word := p.word()
	n, err := strconv.ParseUint(word, 10, 32)
	if err != nil || n > most {
		return 0, fmt.Errorf("%s wants a number of up to %d, not %q", what, most, word)
	}
	return uint32(n), nil
}
