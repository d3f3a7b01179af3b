package packets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"peerlab/lab"
	"peerlab/netsim"
)

// Bounds of a file, besides its size.
const (
	maxPackets = 2000
	maxPacket  = 64 << 10
)

// frame is a packet of a file.
type frame struct {
	at     time.Time
	link   layers.LinkType
	data   []byte
	length int // on the wire: more than data if the capture cut it
}

// file looks at a capture that somebody has sent.
func (c *capture) file(p Params, f *lab.File) error {
	if err := c.filter(p.Filter, usual); err != nil {
		return err
	}
	frames, problem := readFile(f.Data)
	c.run.Note("%s: %d packets.", or(f.Name, "The file"), len(frames))
	if c.unreadable = problem; problem != nil {
		c.run.Note("It can't be read any farther: %v.", problem)
	}
	for _, fr := range frames {
		attrs := map[string]string{"time": fr.at.UTC().Format("15:04:05.000000"), "since the first": fr.at.Sub(frames[0].at).String()}
		if fr.length > len(fr.data) {
			attrs["cut"] = strconv.Itoa(fr.length) + " bytes on the wire, " + strconv.Itoa(len(fr.data)) + " in the file"
		}
		c.captured(netsim.Interface{Name: fr.link.String(), LinkType: uint16(fr.link)}, fr.at, fr.data, attrs)
	}
	_, _ = io.MultiWriter(&c.keys, c.run.KeyLog()).Write(secrets(f.Data)) // neither fails
	return nil
}

// source is a reader of one of the two kinds of files.
type source interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// readFile reads the packets of a pcap or pcapng file, as far as it can be
// read; the error says why no farther. Whatever the bytes are, it does not panic.
func readFile(data []byte) (frames []frame, problem error) {
	defer func() {
		if what := recover(); what != nil {
			problem = errors.New("its reader gave up on it")
		}
	}()
	from, link, err := openFile(data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it ends before its first packet")
	}
	if err != nil {
		return nil, err
	}
	for {
		data, info, err := from.ReadPacketData()
		switch {
		case errors.Is(err, io.EOF):
			return frames, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return frames, fmt.Errorf("it ends in the middle of packet %d", len(frames)+1)
		case err != nil:
			return frames, fmt.Errorf("at packet %d: %w", len(frames)+1, err)
		case len(frames) == maxPackets:
			return frames, fmt.Errorf("only the first %d packets are looked at", maxPackets)
		}
		on := link
		if len(info.AncillaryData) > 0 {
			if its, ok := info.AncillaryData[0].(layers.LinkType); ok {
				on = its
			}
		}
		if len(data) > maxPacket {
			data = data[:maxPacket]
		}
		frames = append(frames, frame{at: info.Timestamp, link: on, data: data, length: info.Length})
	}
}

func openFile(data []byte) (source, layers.LinkType, error) {
	if len(data) < 4 {
		return nil, 0, errors.New("it is too short for a capture file")
	}
	switch magic := binary.LittleEndian.Uint32(data); {
	case magic == blockSection:
		r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		return r, 0, err
	case magic == 0xa1b2c3d4 || magic == 0xd4c3b2a1 || magic == 0xa1b23c4d || magic == 0x4d3cb2a1:
		r, err := pcapgo.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, 0, err
		}
		return r, r.LinkType(), nil
	case data[0] == 0x1f && data[1] == 0x8b:
		return nil, 0, errors.New("it is compressed: unpack it first (gunzip)")
	}
	return nil, 0, errors.New("it begins neither like a pcap nor like a pcapng file")
}

// Parts of a pcapng file that its reader keeps to itself.
const (
	blockSection = 0x0a0d0d0a
	blockSecrets = 10
	secretsTLS   = 0x544c534b // a key log
)

// secrets are the TLS keys that a pcapng file brings along in Decryption Secrets
// Blocks, draft-ietf-opsawg-pcapng section 4.7.
func secrets(data []byte) []byte {
	if len(data) < 12 || binary.LittleEndian.Uint32(data) != blockSection {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if binary.BigEndian.Uint32(data[8:]) == 0x1a2b3c4d {
		order = binary.BigEndian
	}
	var found []byte
	for len(data) >= 12 {
		n := int(order.Uint32(data[4:]))
		if n < 12 || n%4 != 0 || n > len(data) {
			return found
		}
		if body := data[8 : n-4]; order.Uint32(data) == blockSecrets && len(body) >= 8 && order.Uint32(body) == secretsTLS {
			found = append(found, body[8:8+min(int(order.Uint32(body[4:])), len(body)-8)]...)
		}
		data = data[n:]
	}
	return found
}
