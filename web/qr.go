package web

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// qrPath is a QR code as one SVG path in a square of Size modules, quiet zone
// included.
type qrPath struct {
	Size int
	D    string
}

// quiet is the margin in modules a scanner needs (ISO/IEC 18004 asks for 4).
const quiet = 4

// qrCode draws text. Dark modules of a row are joined into one bar, which keeps
// the path short and free of hairlines between modules.
func qrCode(text string) (qrPath, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return qrPath{}, fmt.Errorf("draw the QR code of a link: %w", err)
	}
	var d strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			run := 1
			for code.Black(x+run, y) {
				run++
			}
			fmt.Fprintf(&d, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			x += run
		}
	}
	return qrPath{Size: code.Size + 2*quiet, D: d.String()}, nil
}

// ViewBox is the svg attribute.
func (q qrPath) ViewBox() string { return fmt.Sprintf("0 0 %d %d", q.Size, q.Size) }
