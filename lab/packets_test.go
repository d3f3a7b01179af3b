package lab_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"peerlab/lab"
)

func TestTheFileHasTheKeys(t *testing.T) {
	line := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48)
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		fmt.Fprintf(r.Variant("one").KeyLog(), "%s\nnot a line of a key log\n", line)
		_, client, listener, err := pair(r)
		if err != nil {
			return err
		}
		defer listener.Close()
		c, err := client.DialContext(ctx, "tcp", "server:80")
		if err != nil {
			return err
		}
		return c.Close()
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), l.Slug, url.Values{"network": {"link"}})
	<-rec.Done()
	var file bytes.Buffer
	if err := rec.WritePcapng(&file); err != nil {
		t.Fatal(err)
	}
	if at := bytes.Index(file.Bytes(), []byte(line+"\n")); at < 0 || bytes.Contains(file.Bytes(), []byte("not a line")) {
		t.Errorf("the keys are at %d of %d bytes", at, file.Len())
	}
}
