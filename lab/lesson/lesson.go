package lesson

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"peerlab/lab"
)

// ErrBad is wrapped by every error that is the lesson's fault.
var ErrBad = errors.New("bad lesson")

// Lesson is a lesson to be shown.
type Lesson struct {
	Sections []Section
	// Regions are all of the lab's source, shown or not.
	Regions []Region
}

// Section is what stands under one heading of the second level. The first one
// has no heading if the lesson begins with text.
type Section struct {
	// ID is the title as it is in an address, for a link to it.
	ID, Title string
	// HTML is safe to be put in a page as it is.
	HTML string
	// Shows lists the names of the regions in it.
	Shows []string
}

// Parse reads the lesson and the source it shows from a lab's files.
//
// A fenced block "```go region=name" is replaced by that region; it is empty
// itself. A block "```predict" is a question, its first line, and the answer,
// Markdown too, that opens when asked for.
func Parse(files fs.FS) (*Lesson, error) {
	source, err := fs.ReadFile(files, lab.LessonFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	regions, err := Regions(files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	p := &parser{regions: map[string]Region{}}
	for _, r := range regions {
		p.regions[r.Name] = r
	}
	p.md = goldmark.New(
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(p, 100))),
	)
	sections, err := p.sections(source)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBad, lab.LessonFile, err)
	}
	return &Lesson{Sections: sections, Regions: regions}, nil
}

// parser holds what the renderer of code blocks needs.
type parser struct {
	md      goldmark.Markdown
	regions map[string]Region
	shows   []string // in the section at hand
}

func (p *parser) sections(source []byte) ([]Section, error) {
	doc, err := p.parse(source)
	if err != nil {
		return nil, err
	}
	var all []Section
	var body bytes.Buffer
	finish := func() {
		if n := len(all); n > 0 {
			all[n-1].HTML, all[n-1].Shows = body.String(), p.shows
		}
		body.Reset()
		p.shows = nil
	}
	ids := map[string]bool{}
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok && h.Level == 2 {
			finish()
			title := plain(h, source)
			id := anchor(title)
			if id == "" || ids[id] {
				return nil, fmt.Errorf("the section %q needs a title of its own", title)
			}
			ids[id] = true
			all = append(all, Section{ID: id, Title: title})
			continue
		}
		if len(all) == 0 {
			all = append(all, Section{})
		}
		if err := p.md.Renderer().Render(&body, source, n); err != nil {
			return nil, err
		}
	}
	finish()
	if len(all) == 0 {
		return nil, errors.New("is empty")
	}
	return all, nil
}

// parse reads Markdown and checks it.
func (p *parser) parse(source []byte) (ast.Node, error) {
	doc := p.md.Parser().Parse(text.NewReader(source))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		return ast.WalkContinue, p.check(n, source)
	})
	return doc, err
}

// check refuses what a lesson must not have.
func (p *parser) check(n ast.Node, source []byte) error {
	switch n := n.(type) {
	case *ast.RawHTML, *ast.HTMLBlock:
		return errors.New("HTML in the text: write Markdown")
	case *ast.Image:
		return fmt.Errorf("a picture (%s): lessons have none", n.Destination)
	case *ast.AutoLink:
		return checkLink(string(n.URL(source)))
	case *ast.Link:
		return checkLink(string(n.Destination))
	case *ast.Heading:
		if n.Level == 1 {
			return fmt.Errorf("the heading %q: the title is in the lab's Info, sections have ##", plain(n, source))
		}
	}
	return nil
}

func checkLink(to string) error {
	if strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "#") || strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		return nil
	}
	return fmt.Errorf("a link to %q: only https, the own site and the page", to)
}

// plain is the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	// The function returns no error, so Walk does not either.
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// anchor writes a title as it can stand in an address.
func anchor(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
	return strings.Join(words, "-")
}
