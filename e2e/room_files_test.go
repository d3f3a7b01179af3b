package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"peerlab/e2e/browser"
)

// TestRoomFiles is about what one can do with a file, on its way and before.
func TestRoomFiles(t *testing.T) {
	t.Parallel()
	c := newGathering(t)
	anna, bert := c.pair(t)
	for _, test := range []struct {
		name string
		run  func(anna, bert *guest)
	}{
		{"pause", pauses}, {"cancel", cancels}, {"decline", declines}, {"many", many}, {"empty", empty},
		{"drop and paste", dropAndPaste}, {"too large for memory", tooLarge},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(anna.with(t), bert.with(t)) })
	}
}

// pauses: it moves only while neither side has it paused.
func pauses(anna, bert *guest) {
	file := newDocument(anna.t, "paused.bin", 40*mebibyte)
	anna.offers(file)
	bert.accepts(file.name)
	bert.begun(file.name)
	anna.Click(row("out", file.name, "pause"))
	anna.seesTransfer("out", file.name, patience, "paused")
	if got := bert.seesTransfer("in", file.name, patience, "paused"); !strings.Contains(got.Text, "paused by Anna") {
		bert.t.Errorf("Bert's page says %q", got.Text)
	}
	bert.Click(row("in", file.name, "pause"))
	bert.WaitFor(`!document.querySelector(`+js(row("in", file.name, "resume"))+`).hidden`, patience)

	// What was on its way arrives, and nothing after it.
	sent := anna.offset("out", file.name)
	bert.WaitFor(offset("in", file.name)+` === `+js(sent), patience)
	anna.Click(row("out", file.name, "resume"))
	anna.WaitFor(`document.querySelector(`+js(row("out", file.name))+`).innerText.includes('paused by Bert')`, patience)
	exchange(anna, bert, "during the pause")
	if got := bert.offset("in", file.name); got != sent || sent == 0 || sent == file.size {
		bert.t.Errorf("%d bytes were sent before the pause, %d have arrived, of %d", sent, got, file.size)
	}
	bert.Click(row("in", file.name, "resume"))
	bert.completes("in", file, recovery)
	anna.completes("out", file, patience)
	bert.saves(file)
}

// offset is the JavaScript for how many bytes of a file were sent or received.
func offset(dir, name string) string {
	return link + `.files.transfers.find((f) => f.dir === ` + js(dir) + ` && f.name === ` + js(name) + `).offset`
}

func (g *guest) offset(dir, name string) int64 {
	g.t.Helper()
	return browser.Eval[int64](g.Page, offset(dir, name))
}

// cancels, from either side, on the way and before the answer.
func cancels(anna, bert *guest) {
	for _, who := range []*guest{anna, bert} {
		file := newDocument(anna.t, "cancelled by "+who.name+".bin", 40*mebibyte)
		anna.offers(file)
		bert.accepts(file.name)
		bert.begun(file.name)
		who.Click(row(map[*guest]string{anna: "out", bert: "in"}[who], file.name, "cancel"))
		anna.seesTransfer("out", file.name, patience, "cancelled")
		if got := bert.seesTransfer("in", file.name, patience, "cancelled"); got.Sha256 != "" {
			bert.t.Errorf("a cancelled file has the hash %s", got.Sha256)
		}
		if saveable := browser.Eval[bool](bert.Page, `!document.querySelector(`+js(row("in", file.name, "save"))+`).hidden`); saveable {
			bert.t.Error("half a file can be saved")
		}
	}
	file := newDocument(anna.t, "taken back.bin", 1000)
	anna.offers(file)
	bert.seesTransfer("in", file.name, patience, "waiting")
	anna.Click(row("out", file.name, "cancel"))
	bert.seesTransfer("in", file.name, patience, "cancelled")
	bert.WaitFor(`document.querySelector(`+js(row("in", file.name, "accept"))+`).hidden`, patience)
	exchange(anna, bert, "after the cancelled files")
}

func declines(anna, bert *guest) {
	file := newDocument(anna.t, "unwanted.bin", 1000)
	anna.offers(file)
	bert.Click(row("in", file.name, "decline"))
	bert.seesTransfer("in", file.name, patience, "declined")
	if got := anna.seesTransfer("out", file.name, patience, "declined"); !strings.Contains(got.Text, "Bert declined") {
		anna.t.Errorf("Anna's page says %q", got.Text)
	}
}

// many files at once: more than may be on offer, both ways, a large one among
// them.
func many(anna, bert *guest) {
	var files []document
	for i := range 18 {
		files = append(files, newDocument(anna.t, fmt.Sprintf("many %d.bin", i), int64(10_000+i)))
	}
	large, back := newDocument(anna.t, "large.bin", 8*mebibyte), newDocument(bert.t, "back.bin", 3*mebibyte)
	anna.offers(large)
	bert.accepts(large.name)
	anna.offers(files...)
	bert.offers(back)
	anna.accepts(back.name)
	for _, file := range files {
		bert.accepts(file.name)
	}
	for _, file := range append(files, large) {
		bert.completes("in", file, recovery)
		anna.completes("out", file, patience)
	}
	anna.completes("in", back, recovery)
	bert.saves(files[17])
	bert.saves(large)
	anna.saves(back)
}

func empty(anna, bert *guest) {
	file := newDocument(anna.t, "empty.txt", 0)
	anna.offers(file)
	bert.accepts(file.name)
	bert.completes("in", file, patience)
	anna.completes("out", file, patience)
	bert.saves(file)
}

// dropAndPaste are other ways to choose a file.
func dropAndPaste(anna, bert *guest) {
	for _, way := range []struct{ name, event string }{
		{"dropped.txt", `(() => {
			const where = document.querySelector('#chat-log');
			where.dispatchEvent(new DragEvent('dragenter', {dataTransfer: data, bubbles: true, cancelable: true}));
			if (document.querySelector('#drop').hidden) throw new Error('nothing shows where to drop');
			const over = new DragEvent('dragover', {dataTransfer: data, bubbles: true, cancelable: true});
			where.dispatchEvent(over);
			if (!over.defaultPrevented) throw new Error('the browser would open the file itself');
			where.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
			if (!document.querySelector('#drop').hidden) throw new Error('the drop is over');
		})()`},
		{"pasted.txt", `document.querySelector('#chat-input').dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}))`},
	} {
		browser.Eval[chromedp.Void](anna.Page, `{ const data = new DataTransfer(); data.items.add(new File(['it was '], `+js(way.name)+`, {type: 'text/plain'})); `+way.event+`; undefined; }`)
		bert.accepts(way.name)
		if got := bert.seesTransfer("in", way.name, patience, "done", "failed"); got.State != "done" {
			bert.t.Errorf("%s: %+v", way.name, got)
		}
		saved := bert.Download(patience, func() { bert.Click(row("in", way.name, "save")) })
		if content, err := os.ReadFile(saved.Path); string(content) != "it was " || err != nil {
			bert.t.Errorf("%s: %q, %v", way.name, content, err)
		}
	}
}

// tooLarge: over plain http a page can keep files in memory only, and says how
// large ones.
func tooLarge(anna, bert *guest) {
	const limit = "This page can keep files up to 512 MiB, in memory: writing to disk needs https or localhost."
	if text := bert.Text("#sink-limits"); text != limit {
		bert.t.Errorf("the limit is told as %q", text)
	}
	path := filepath.Join(anna.t.TempDir(), "too large.bin")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		anna.t.Fatal(err)
	}
	if err := os.Truncate(path, 513*mebibyte); err != nil { // a hole, which takes no space
		anna.t.Fatal(err)
	}
	anna.offers(document{path: path})
	bert.accepts("too large.bin")
	bert.WaitFor(js(limit+" This file is 513 MiB.")+` === document.querySelector('#banner:not([hidden])').textContent`, patience)
	bert.Click(row("in", "too large.bin", "decline"))
	anna.seesTransfer("out", "too large.bin", patience, "declined")
}
