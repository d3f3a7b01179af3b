package need_test

import (
	"strings"
	"testing"

	"peerlab/need"
)

// recorder stands in for a test and keeps how it was ended.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper()           {}
func (r *recorder) Skip(args ...any)  { r.skipped = args[0].(string) }
func (r *recorder) Fatal(args ...any) { r.failed = args[0].(string) }

func TestMissingToolNamesItsPackage(t *testing.T) {
	t.Setenv("CI", "")
	var r recorder
	need.Tool(&r, "no-such-tool", "some-package")
	if !strings.Contains(r.skipped, "some-package") || r.failed != "" {
		t.Errorf("outside CI: skipped %q, failed %q; want a skip naming the package", r.skipped, r.failed)
	}

	t.Setenv("CI", "true")
	r = recorder{}
	need.Tool(&r, "no-such-tool", "some-package")
	if !strings.Contains(r.failed, "some-package") || r.skipped != "" {
		t.Errorf("in CI: skipped %q, failed %q; want a failure naming the package", r.skipped, r.failed)
	}
}

func TestToolFound(t *testing.T) {
	var r recorder
	if path := need.Tool(&r, "sh", "dash"); !strings.HasSuffix(path, "/sh") || r.skipped+r.failed != "" {
		t.Errorf("Tool(sh) = %q, skipped %q, failed %q", path, r.skipped, r.failed)
	}
}
