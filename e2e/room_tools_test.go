package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/browser"
)

// TestRoomTools uses what a room has beside chat and files, over a direct path
// between two NATs.
func TestRoomTools(t *testing.T) {
	t.Parallel()
	c := newCouple(t)
	t.Run("inspector", c.inspector)
	t.Run("measurements", c.measurements)
	t.Run("invited Go peer", c.invitedPeer)
	t.Run("Go peer on the command line", c.commandLinePeer)
	t.Run("picked place for a file", c.pickedPlace)
	t.Run("path choice", c.pathChoice)
}

// measurements asks for throughput in both directions, and looks at what both
// sides show of it.
func (c *couple) measurements(t *testing.T) {
	alice, bob := c.meet(t)
	alice.reaches("Bob", "direct", 2*patience)
	alice.Click(at("tab-measure"))
	result := regexp.MustCompile(`^\d[\d.]* [kMG]bit/s (to|from) Bob: \d[\d.]* [MG]B in \d[\d.]* (ms|s), direct$`)
	for _, dir := range []string{"send", "receive"} {
		alice.Click(at("bench-" + dir))
		first := `[data-testid="bench-result"][data-dir="` + dir + `"]`
		alice.WaitFor(`document.querySelector('`+first+`')`, 2*patience)
		text := strings.Join(strings.Fields(alice.Text(first)), " ")
		got := browser.Eval[struct{ Bytes, Ms float64 }](alice.Page, `(({bytes, ms}) => ({Bytes: +bytes, Ms: +ms}))(document.querySelector('`+first+`').dataset)`)
		t.Logf("%s: %s", dir, text)
		// Shorter than asked for: it begins with the first byte that arrives.
		if !result.MatchString(text) || got.Bytes < mebibyte || got.Ms < 3000 || got.Ms > 15000 {
			t.Errorf("%s: %q, %+v; want a result of about 5 s with units", dir, text, got)
		}
	}
	alice.Click(at("bench-send"))
	alice.Click(at("bench-stop"))
	alice.WaitFor(one("bench-stop")+`.disabled && !`+one("bench-send")+`.disabled`, patience)

	alice.WaitFor(`[...document.querySelectorAll('[data-testid="latency"] dd')].every((dd) => dd.textContent !== '–')`, patience)
	latency := alice.Text(at("latency"))
	if !regexp.MustCompile(`(?s)now\s+(< )?[\d.]+ m?s\s+least\s+(< )?[\d.]+ m?s\s+mean\s+(< )?[\d.]+ m?s\s+most\s+(< )?[\d.]+ m?s\s+lost\s+\d+ of \d+`).MatchString(latency) {
		t.Errorf("round trips: %q", latency)
	}
	exchange(alice, bob, "after measuring")
}

// invitedPeer has the server send its Go peer into the room.
func (c *couple) invitedPeer(t *testing.T) {
	alice := newGuest(t, c.browsers[0].Page(t), "Alice")
	room := alice.startsRoom(c.server.base)
	began := time.Now()
	alice.Click(at("invite"))
	alice.reaches(goPeer, "direct", 2*patience)
	t.Logf("connected %v after the invitation", time.Since(began).Round(time.Millisecond))
	alice.hears(goPeer, "Hello! I am a Go program. I echo what you write; /help tells what else I can do.")
	alice.says("Grüße, 你好 🦊")
	alice.hears(goPeer, "echo: Grüße, 你好 🦊")

	alice.says("/file 1MB")
	const made = "peerlab-1000000.bin"
	alice.accepts(made)
	got := alice.seesTransfer("in", made, patience, "done", "failed", "cancelled")
	saved := alice.Download(patience, func() { alice.Click(row("in", made, "save")) })
	hash, err := hashOf(saved.Path)
	if got.State != "done" || hash != got.Sha256 || err != nil {
		t.Errorf("the peer's file: %+v; what was saved has the hash %s (%v)", got, hash, err)
	}

	file := newDocument(t, "for the Go peer.bin", 5*mebibyte)
	alice.offers(file)
	alice.completes("out", file, recovery)
	alice.WaitFor(`[...document.querySelectorAll('[data-testid="message"][data-mine="false"] .message-text')].some((m) =>
		m.textContent.startsWith('I got for the Go peer.bin: 5242880 bytes in ') && m.textContent.endsWith('SHA-256 `+file.sha256+`'))`, patience)

	// Somebody else finds it over the relay, having asked for that in the link.
	bob := newGuest(t, c.browsers[1].Page(t), "Bob")
	bob.enters(room + "?path=relay-tcp")
	bob.reaches(goPeer, "relayed", 2*patience)
	bob.reaches("Alice", "relayed", 2*patience)
	bob.isTold(`^Relayed because you chose relay only, over TCP\.$`)
	bob.says("Hello both")
	bob.hears(goPeer, "echo: Hello both")
	alice.hears("Bob", "Hello both")
	bob.Click(at("leave"))
	alice.sees(goPeer)

	// One is enough.
	alice.AllowErrors(`status of 503 .*/invite`)
	alice.Click(at("invite"))
	alice.WaitFor(`/in this room already/.test(document.querySelector('#banner:not([hidden])').textContent)`, patience)
	alice.says("/bye")
	alice.WaitFor(`!`+one("peer"), patience)
}

// pickedPlace is for browsers that let the user choose where a file goes. The
// dialog itself is not there in a headless one; a stand-in gives the page the
// same kind of file.
func (c *couple) pickedPlace(t *testing.T) {
	alice := newGuest(t, c.browsers[0].Page(t), "Alice")
	alice.Before(`window.picked = []; window.showSaveFilePicker = async ({suggestedName}) => {
		picked.push(suggestedName);
		if (picked.length === 1) throw new DOMException('The user closed it.', 'AbortError');
		return (await navigator.storage.getDirectory()).getFileHandle('picked', {create: true});
	}`)
	bob := newGuest(t, c.browsers[1].Page(t), "Bob")
	bob.enters(alice.startsRoom(c.server.base))
	file := newDocument(t, "picked.bin", 5*mebibyte)
	bob.offers(file)
	alice.accepts(file.name)
	alice.WaitFor(`picked.length === 1`, patience)
	alice.accepts(file.name) // the first time the dialog was closed
	if got := alice.completes("in", file, patience); !strings.Contains(got.Text, "saved as picked") {
		t.Errorf("Alice's page says %q", got.Text)
	}
	bob.completes("out", file, patience)
	got := browser.Eval[string](alice.Page, `(async () => {
		const file = await (await (await navigator.storage.getDirectory()).getFileHandle('picked')).getFile();
		const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
		return [...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, '0')).join('');
	})()`)
	if got != file.sha256 {
		t.Errorf("the file that was picked has the SHA-256 %s, want %s", got, file.sha256)
	}
	if names := browser.Eval[[]string](alice.Page, `picked`); strings.Join(names, "|") != "picked.bin|picked.bin" {
		t.Errorf("the page suggested the names %q", names)
	}
}

const goPeer = "Peerlab Go"
