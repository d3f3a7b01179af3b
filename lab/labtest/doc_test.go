package labtest_test

import (
	"os"
	"strings"
	"testing"
)

// The page shows code that is compiled and tested: each of its blocks is a
// piece of the lab it builds.
func TestThePageOnAddingALabIsTrue(t *testing.T) {
	page := read(t, "../../ADDING_A_LAB.md")
	var all strings.Builder
	for _, name := range []string{"lab.go", "lab.md", "lab_test.go"} {
		all.WriteString(read(t, "ping/"+name))
	}
	blocks := 0
	for _, fence := range []string{"\n````md\n", "\n```go\n"} {
		parts := strings.Split(page, fence)
		for _, rest := range parts[1:] {
			body, _, closed := strings.Cut(rest, "\n"+strings.Trim(fence, "\nmdgo")+"\n")
			if strings.TrimSpace(body) == "" || strings.HasPrefix(body, "```") {
				continue // an empty block, inside one of the longer fence
			}
			blocks++
			if !closed || !strings.Contains(all.String(), body) {
				t.Errorf("not in lab/labtest/ping:\n%s", body)
			}
		}
	}
	if blocks < 8 {
		t.Errorf("%d blocks found: does this test still read the page?", blocks)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
