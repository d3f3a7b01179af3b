package lab

import (
	"time"

	"peerlab/netsim"
	"peerlab/trace"
)

// PacketAttr is the attribute of a message that is a packet whose bytes were
// kept: its number in Record.Packet, and in the file of the run.
const PacketAttr = "packet"

// File is one that a visitor sent along with a run's parameters, for a lab with
// Info.Upload. It lives as long as the run goes on, unless the lab keeps more of it.
type File struct {
	// Name is what the visitor's browser called it. It is to be shown, never opened.
	Name string
	Data []byte
}

// Upload says what file a lab takes.
type Upload struct {
	// Label and Help are for people; Accept is for the browser's dialog: ".pcap,.pcapng".
	Label, Help, Accept string
	// Max is the most that is taken, in bytes.
	Max int
}

// MaxUpload is the most a lab may take.
const MaxUpload = 8 << 20

// File is what the visitor sent along, nil if nothing.
func (r *Run) File() *File {
	r.smu.Lock()
	defer r.smu.Unlock()
	return r.file
}

// Tap has f see each packet of this run's or variant's emulated network as it
// is sent, with its number among those kept (0: there was no room). The net
// stands still meanwhile. It is to be set before the first Host.
func (r *Run) Tap(f func(p netsim.Packet, number int)) { r.tap = f }

// Captured is a packet that was not on an emulated network of the run.
type Captured struct {
	// On is where it was seen, and what it begins with.
	On   netsim.Interface
	At   time.Time
	Data []byte // the receiver's to keep
}

// Captured records a packet from a file or another network: the message e, and
// its bytes with those of the emulated network, for whoever asks. It returns
// its number among those kept, 0 if there was no room.
func (r *Run) Captured(c Captured, e trace.Event) int {
	n := r.packets.add(c.On, netsim.Packet{At: c.At, Data: c.Data})
	r.Add(numbered(e, n))
	return n
}

// Packet returns the bytes of a packet by its number, and what they begin with,
// as pcap files number it. ok is false if there is none.
func (rec *Record) Packet(number int) (data []byte, linkType uint16, ok bool) {
	return rec.run.packets.get(number)
}
