package packets

import (
	"encoding/binary"
	"errors"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"peerlab/dissect"
)

// framing says what stands before the IP header.
type framing struct {
	base      uint32 // where the IP header begins
	etherType bool   // the frame says which version it carries
	// once leaves out what the kernel shows a second time: on the loopback every
	// packet goes out and comes in.
	once bool
}

var (
	overIP       = framing{}
	overEthernet = framing{base: 14, etherType: true}
)

// framings are those of capture files. Where there is none it is IP itself.
var framings = map[dissect.LinkType]framing{
	dissect.Ethernet: overEthernet, layers.LinkTypeNull: {base: 4}, layers.LinkTypeLoop: {base: 4},
	layers.LinkTypeLinuxSLL: {base: 16, etherType: true}, layers.LinkTypeLinuxSLL2: {base: 20},
}

// whole is the verdict on a packet that passes: copy so many bytes, which is all.
const whole = 1 << 18

// errLong is for a program of more than a jump can cross.
var errLong = errors.New("it is too long")

// compile makes a program for the kernel's packet filter, or the one of x/net:
// loads, and conditional jumps that only go forward.
func compile(e expr, f framing) ([]bpf.Instruction, error) {
	c := &compiler{framing: f, at: map[int]int{}}
	pass, refuse := c.label(), c.label()
	if f.once {
		in := c.label()
		c.add(bpf.LoadExtension{Num: bpf.ExtType})
		c.jump(bpf.JumpEqual, 4, refuse, in) // PACKET_OUTGOING
		c.put(in)
	}
	c.test(e, pass, refuse)
	c.put(pass)
	c.add(bpf.RetConstant{Val: whole})
	c.put(refuse)
	c.add(bpf.RetConstant{Val: 0})
	return c.link()
}

// compiler writes tests one after the other; where each goes on is a label, to be
// made a distance when all is written.
type compiler struct {
	framing
	steps  []step
	labels int
	at     map[int]int // label: number of the step it stands before
}

type step struct {
	bpf.Instruction
	conditional bool
	cond        bpf.JumpTest
	value       uint32
	yes, no     int // labels
}

func (c *compiler) label() int            { c.labels++; return c.labels }
func (c *compiler) put(label int)         { c.at[label] = len(c.steps) }
func (c *compiler) add(i bpf.Instruction) { c.steps = append(c.steps, step{Instruction: i}) }

func (c *compiler) jump(cond bpf.JumpTest, value uint32, yes, no int) {
	c.steps = append(c.steps, step{conditional: true, cond: cond, value: value, yes: yes, no: no})
}

// load is of the byte, or two or four, at a place in the IP header.
func (c *compiler) load(at uint32, size int) { c.add(bpf.LoadAbsolute{Off: c.base + at, Size: size}) }

func (c *compiler) link() ([]bpf.Instruction, error) {
	var program []bpf.Instruction
	for i, s := range c.steps {
		if !s.conditional {
			program = append(program, s.Instruction)
			continue
		}
		yes, no := c.at[s.yes]-i-1, c.at[s.no]-i-1
		if yes > 255 || no > 255 {
			return nil, errLong
		}
		program = append(program, bpf.JumpIf{Cond: s.cond, Val: s.value, SkipTrue: uint8(yes), SkipFalse: uint8(no)})
	}
	return program, nil
}

// region compile

// test writes the test of e, which goes on at yes or at no. What stands between
// two tests is how an "and" or an "or" is said in jumps.
func (c *compiler) test(e expr, yes, no int) {
	switch e := e.(type) {
	case both:
		second := c.label()
		c.test(e.a, second, no)
		c.put(second)
		c.test(e.b, yes, no)
	case either:
		second := c.label()
		c.test(e.a, yes, second)
		c.put(second)
		c.test(e.b, yes, no)
	case not:
		c.test(e.e, no, yes)
	case version:
		c.version(e.v, yes, no)
	case protocol:
		c.protocol(e.number, yes, no)
	case port:
		c.port(e, yes, no)
	case host:
		c.host(e, yes, no)
	case length:
		c.add(bpf.LoadExtension{Num: bpf.ExtLen})
		if e.less {
			c.jump(bpf.JumpLessOrEqual, e.value, yes, no)
		} else {
			c.jump(bpf.JumpGreaterOrEqual, e.value, yes, no)
		}
	case anything:
		c.add(bpf.LoadExtension{Num: bpf.ExtLen})
		c.jump(bpf.JumpGreaterOrEqual, 0, yes, yes)
	}
}

func (c *compiler) protocol(number uint32, yes, no int) {
	v4, other, v6 := c.label(), c.label(), c.label()
	c.version(4, v4, other)
	c.put(v4)
	c.load(9, 1) // what the header says it carries
	c.jump(bpf.JumpEqual, number, yes, no)
	c.put(other)
	c.version(6, v6, no)
	c.put(v6)
	c.load(6, 1)
	c.jump(bpf.JumpEqual, number, yes, no)
}

// endregion

func (c *compiler) version(v byte, yes, no int) {
	if c.etherType {
		c.add(bpf.LoadAbsolute{Off: c.base - 2, Size: 2})
		c.jump(bpf.JumpEqual, map[byte]uint32{4: 0x0800, 6: 0x86dd}[v], yes, no)
		return
	}
	c.load(0, 1)
	c.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
	c.jump(bpf.JumpEqual, uint32(v)<<4, yes, no)
}

// port finds the ports behind an IPv4 header of any length, or an IPv6 header
// without extensions. Only the first fragment has them.
func (c *compiler) port(p port, yes, no int) {
	v4, whole4, other, v6, ports6 := c.label(), c.label(), c.label(), c.label(), c.label()
	ports4 := c.label()
	c.version(4, v4, other)
	c.put(v4)
	c.load(9, 1)
	c.transport(p.protocol, whole4, no)
	c.put(whole4)
	c.load(6, 2)
	c.jump(bpf.JumpBitsSet, 0x1fff, no, ports4)
	c.put(ports4)
	c.add(bpf.LoadMemShift{Off: c.base}) // X: how long this header is
	c.sides(p.side, func(at uint32) { c.add(bpf.LoadIndirect{Off: c.base + at, Size: 2}) }, 2, p.number, yes, no)
	c.put(other)
	c.version(6, v6, no)
	c.put(v6)
	c.load(6, 1)
	c.transport(p.protocol, ports6, no)
	c.put(ports6)
	c.sides(p.side, func(at uint32) { c.load(40+at, 2) }, 2, p.number, yes, no)
}

// transport tests the protocol just loaded: the one asked for, or both.
func (c *compiler) transport(p uint32, yes, no int) {
	if p != 0 {
		c.jump(bpf.JumpEqual, p, yes, no)
		return
	}
	udp := c.label()
	c.jump(bpf.JumpEqual, protoTCP, yes, udp)
	c.put(udp)
	c.jump(bpf.JumpEqual, protoUDP, yes, no)
}

func (c *compiler) host(h host, yes, no int) {
	v4, a := c.label(), h.addr.As4()
	c.version(4, v4, no)
	c.put(v4)
	c.sides(h.side, func(at uint32) { c.load(12+at, 4) }, 4, binary.BigEndian.Uint32(a[:]), yes, no)
}

// sides tests the source's value, the destination's a few bytes on, or both.
func (c *compiler) sides(s side, load func(at uint32), apart, value uint32, yes, no int) {
	second := c.label()
	if !s.dst {
		load(0)
		if s.src {
			c.jump(bpf.JumpEqual, value, yes, no)
			return
		}
		c.jump(bpf.JumpEqual, value, yes, second)
	}
	c.put(second)
	load(apart)
	c.jump(bpf.JumpEqual, value, yes, no)
}
