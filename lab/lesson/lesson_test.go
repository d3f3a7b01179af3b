package lesson_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"peerlab/lab/lesson"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestALessonAsHTML(t *testing.T) {
	l, err := lesson.Parse(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, s := range l.Sections {
		fmt.Fprintf(&got, "== %s %q shows %q\n%s", s.ID, s.Title, s.Shows, s.HTML)
	}
	const golden = "testdata/lab.golden.html"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
	}
	if strings.Contains(got.String(), "style=") || strings.Contains(got.String(), "<script") {
		t.Error("style or script in the HTML")
	}
}

func TestRegionsComeWithoutTheirIndentation(t *testing.T) {
	all, err := lesson.Regions(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Name != "accept" || all[0].File != "server.go" || all[0].Line != 7 ||
		!strings.HasPrefix(all[0].Source, "for {\n\tc, err :=") || !strings.HasSuffix(all[0].Source, "}\n") {
		t.Errorf("regions %+v", all)
	}
}

func TestBadLessonsAreErrors(t *testing.T) {
	for _, c := range []struct{ md, code, want string }{
		{"", "", "is empty"},
		{"# Title\n", "", "the title is in the lab's Info"},
		{"## !!\n", "", "needs a title"},
		{"## A\n\n## a\n", "", "needs a title of its own"},
		{"<b>bold</b>\n", "", "HTML in the text"},
		{"<div>\nx\n</div>\n", "", "HTML in the text"},
		{"![x](https://example.org/x.png)\n", "", "a picture"},
		{"[x](javascript:alert(1))\n", "", "a link to"},
		{"[x](//evil.example/)\n", "", "a link to"},
		{"<http://example.org>\n", "", "a link to"},
		{"```go region=gone\n```\n", "", `no region "gone"`},
		{"```go region=a\nx\n```\n", "// region a\nx\n// endregion\n", "must be an empty one"},
		{"```sh region=a\n```\n", "// region a\nx\n// endregion\n", "must be an empty one of go"},
		{"```go title=x\n```\n", "", "nothing but region=name"},
		{"```predict\nonly a question\n```\n", "", "an answer"},
		{"```predict\n- a list\nanswer\n```\n", "", "not one line"},
		{"```predict\nq\n<b>x</b>\n```\n", "", "HTML in the text"},
		{"x", "// region a\nx\n", "never ends"},
		{"x", "// endregion\n", "without a region"},
		{"x", "// region a\n\n// endregion\n", "is empty"},
		{"x", "// region a\n// region b\n", "inside region"},
		{"x", "// region a\nx\n// endregion\n// region a\nx\n// endregion\n", "already"},
	} {
		_, err := lesson.Parse(fstest.MapFS{"lab.md": {Data: []byte(c.md)}, "lab.go": {Data: []byte(c.code)}})
		if !errors.Is(err, lesson.ErrBad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want %q", c.md+c.code, err, c.want)
		}
	}
	if _, err := lesson.Parse(fstest.MapFS{}); !errors.Is(err, lesson.ErrBad) {
		t.Errorf("no lesson: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("## A\n\ntext <i>x</i>\n", "// region a\nx\n// endregion\n")
	f.Add("```go region=a\n```\n", "// region a\n\"\r\n`x\r`\n// endregion\n")
	f.Add("```predict\nq\n```go\nx\n```\n", "")
	f.Fuzz(func(t *testing.T, md, code string) {
		l, err := lesson.Parse(fstest.MapFS{"lab.md": {Data: []byte(md)}, "lab.go": {Data: []byte(code)}})
		if err != nil {
			return
		}
		for _, s := range l.Sections {
			if low := strings.ToLower(s.HTML); strings.Contains(low, "<script") || strings.Contains(low, "<img") {
				t.Errorf("from %q: %s", md, s.HTML)
			}
		}
	})
}
