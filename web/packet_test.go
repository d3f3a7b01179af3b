package web_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// hoard is a lab that keeps one packet, and says of what file.
func hoard(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.New(lab.Info{
		Slug: "hoard", Title: "Hoard", Chapter: "Probes", Ask: "What is in there?", Captures: true,
		Upload: &lab.Upload{Label: "Your file", Help: "Any", Max: 20 << 10},
		Files:  fstest.MapFS{"lab.md": {Data: []byte("Nothing.\n")}},
	}, func(_ context.Context, p struct {
		N int `lab:"n" label:"Number" max:"9"`
	}, r *lab.Run) error {
		if f := r.File(); f != nil {
			r.Note("%d: %s has %d bytes", p.N, f.Name, len(f.Data))
		}
		r.Captured(lab.Captured{On: netsim.Interface{Name: "x", LinkType: netsim.LinkTypeRaw}, At: time.Now(),
			Data: []byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}},
			trace.Event{Kind: trace.Message, Layer: trace.IP, From: "a", To: "b", Name: "it"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func startHoard(t *testing.T) *labFixture {
	return startLabs(t, func(c *lab.Config) { c.Labs = append(c.Labs, hoard(t)) })
}

// form is one with a file, and its content type.
func form(t *testing.T, n string, size int) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("n", n); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile(lab.FileField, "some.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestAFileComesAlong(t *testing.T) {
	f := startHoard(t)
	f.get("/labs/hoard").want(t, 200, `enctype="multipart/form-data"`, `type="file"`, "At most 20 KiB")
	body, kind := form(t, "7", 20<<10)
	rec := f.ask("POST", "/labs/hoard/runs", body, "Content-Type", kind)
	rec.want(t, 303)
	run := f.record(rec.Header.Get("Location"))
	<-run.Done()
	found := false
	for _, e := range run.Log.Events() {
		found = found || e.Text == "7: some.bin has 20480 bytes"
	}
	if !found {
		t.Error("the run has not got the file")
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	f := startHoard(t)
	large, kind := form(t, "7", 20<<10+1)
	f.ask("POST", "/labs/hoard/runs", large, "Content-Type", kind, "Accept", "application/json").want(t, 422, `"field":"file"`, "at most 20 KiB")
	f.ask("POST", "/labs/hoard/runs", large, "Content-Type", kind).want(t, 422, "Nothing was run", `data-testid="problem-file"`, `value="7"`)
	huge, kind := form(t, "7", 6<<20) // and still there is an answer, not a connection that is reset
	f.ask("POST", "/labs/hoard/runs", huge, "Content-Type", kind, "Accept", "application/json").want(t, 413, "At most 20 KiB")
	bad, kind := form(t, "17", 10)
	f.ask("POST", "/labs/hoard/runs", bad, "Content-Type", kind, "Accept", "application/json").want(t, 422, `"field":"n"`)
	f.ask("POST", "/labs/hoard/runs", strings.Repeat("x", 100), "Content-Type", "multipart/form-data; boundary=y", "Accept", "application/json").want(t, 400)
	none, kind := form(t, "7", 10)
	f.ask("POST", "/labs/hoard/runs", none, "Content-Type", kind, "Origin", "https://evil.example").want(t, 403)
	other := f.runner.Labs()[0].Slug // takes no file, so no form of this kind is read
	if got := f.ask("POST", "/labs/"+other+"/runs", huge, "Content-Type", kind, "Accept", "application/json"); got.StatusCode != 413 && got.StatusCode != 415 {
		t.Errorf("a lab without an upload ran with one: %d", got.StatusCode)
	}
}

func TestOnePacketLayerByLayer(t *testing.T) {
	f := startHoard(t)
	path := f.ask("POST", "/labs/hoard/runs", "").Header.Get("Location")
	<-f.record(path).Done()
	f.get(path+"/packets/1").want(t, 200, `"hex":"45000014`, `"name":"IPv4"`, "192.0.2.1 → 192.0.2.2", `"bit":64`)
	for _, missing := range []string{"0", "2", "-1", "x", "99999999999999999999"} {
		f.get(path+"/packets/"+missing).want(t, 404)
	}
	f.get("/runs/nosuch/packets/1").want(t, 404)
}
