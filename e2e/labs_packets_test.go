package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"peerlab/e2e/browser"
)

// lit are the numbers of the bytes that are lit up, as JSON.
const lit = `JSON.stringify([...document.querySelectorAll('.hex .lit')].map(e => Number(e.dataset.byte)))`

func TestAPacketIsTakenApartInABrowser(t *testing.T) {
	s := startServer(t, nil)
	run := s.startRun("tcp-server", seconds+"&network=link&delay=5") // of any lab
	run.over()
	p := browser.Launch(t, browser.Config{}).Page(t)
	p.Open(s.base + run.path + "#packets")
	p.Click(`[data-testid="view-packets"] tr[data-index="0"]`)
	p.Click(`[data-testid="packet-bytes"] tr[data-line="1"]`)
	p.WaitFor(lit+` === '[0]'`, patience) // the version
	p.Press(kb.ArrowDown)                 // the header length, in the same byte
	if got := browser.Eval[string](p, `document.querySelector('[data-testid="packet-bytes"] tr[aria-selected="true"]').dataset.line`); got != "2" {
		t.Errorf("the arrow key goes to line %s", got)
	}
	p.Click(`.hexdump [data-byte="13"]`)
	p.WaitFor(lit+` === '[12,13,14,15]'`, patience) // the sender's address

	// The file of that run, looked at in a run of its own.
	file := filepath.Join(t.TempDir(), "run.pcapng")
	if err := os.WriteFile(file, []byte(s.get(run.path+".pcapng").body), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Open(s.base + "/labs/packets")
	p.SetFiles("#param-file", file)
	p.Click(`[data-testid="start-form"]`)
	p.WaitFor(`document.querySelector('[data-testid="run"]')?.dataset.state === 'ended'`, patience)
	p.WaitFor(`document.querySelectorAll('[data-testid="view-packets"] tr[data-index]').length > 10`, patience)
	if n := len(p.Errors()); n > 0 {
		t.Errorf("the pages complain: %v", p.Errors())
	}
}
