package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"peerlab/lab"
)

// Bounds of a form with a file. The file's own is the lab's.
const (
	maxUploads = 6   // read at a time,
	maxOfOne   = 2   // and by one client, who may be slow on purpose
	maxParts   = 100 // fields of the form
)

// errManyUploads is for one file more than are read at a time.
var errManyUploads = &failure{Status: http.StatusServiceUnavailable, Title: "Too many files at once", RetryAfter: 5,
	Detail: "This server reads only a few at a time. Try again in a moment."}

// errNoUpload is for a form of the kind that has files.
var errNoUpload = &failure{Status: http.StatusUnsupportedMediaType, Title: "This lab takes no file",
	Detail: "Its form is sent as application/x-www-form-urlencoded."}

// places are for forms with a file while they are read.
type places struct {
	mu    sync.Mutex
	all   int
	taken map[netip.Addr]int // by client: an IPv4 address, or an IPv6 /64
}

// take gives a client a place, until it leaves.
func (p *places) take(client netip.Addr) (leave func(), ok bool) {
	client = client.Unmap().WithZone("")
	if wide, err := client.Prefix(64); err == nil && client.Is6() {
		client = wide.Addr()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= maxUploads || p.taken[client] >= maxOfOne {
		return nil, false
	}
	p.all++
	p.taken[client]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.taken[client]--; p.taken[client] == 0 {
			delete(p.taken, client)
		}
	}, true
}

// uploadAt is what file a request may bring along; nil: none.
func (s *site) uploadAt(r *http.Request) *lab.Upload {
	path, isRuns := strings.CutSuffix(r.URL.Path, "/runs")
	slug, isLab := strings.CutPrefix(path, "/labs/")
	if !isRuns || !isLab || s.Labs == nil || !isMultipart(r) {
		return nil
	}
	l, err := s.Labs.Lab(slug)
	if err != nil {
		return nil
	}
	return l.Upload
}

func isMultipart(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data"
}

// readRequest reads the form that asks for a run, with or without a file.
func (s *site) readRequest(r *http.Request, l *lab.Lab) (url.Values, *lab.File, error) {
	if !isMultipart(r) {
		err := readForm(r)
		return r.PostForm, nil, err
	}
	if l.Upload == nil {
		return nil, nil, errNoUpload
	}
	leave, ok := s.uploads.take(s.ClientAddr(r))
	if !ok {
		return nil, nil, errManyUploads
	}
	defer leave()
	values, file, err := readParts(r, l.Upload.Max)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, nil, &failure{Status: http.StatusRequestEntityTooLarge, Title: "Too much at once",
			Detail: "At most " + kib(l.Upload.Max) + " of a file are taken."}
	case err != nil:
		return nil, nil, &failure{Status: http.StatusBadRequest, Title: "That form could not be read", Detail: sentence(err.Error())}
	}
	return values, file, nil
}

// readParts reads a form part by part, RFC 7578, into memory. Of a file that is
// too large one byte more than allowed is kept, for the lab to refuse it by name.
func readParts(r *http.Request, most int) (url.Values, *lab.File, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, nil, err
	}
	values := url.Values{}
	var file *lab.File
	for range maxParts {
		part, err := form.NextPart()
		if err == io.EOF { //nolint:errorlint // wrapped in another error it is of a form that was cut off
			return values, file, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if file, err = readPart(part, values, file, most); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("it has more than %d parts", maxParts)
}

func readPart(part *multipart.Part, values url.Values, file *lab.File, most int) (*lab.File, error) {
	name := part.FormName()
	if name != lab.FileField {
		text, err := io.ReadAll(io.LimitReader(part, maxBody))
		values.Add(name, string(text))
		return file, err
	}
	data, err := io.ReadAll(io.LimitReader(part, int64(most)+1))
	if err != nil || len(data) == 0 && part.FileName() == "" {
		return file, err // no file was chosen
	}
	return &lab.File{Name: clip(part.FileName(), 100), Data: data}, nil
}
