package lesson

import (
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

var _ renderer.NodeRenderer = (*parser)(nil)

// RegisterFuncs tells goldmark that fenced blocks are written here.
func (p *parser) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindFencedCodeBlock, p.block)
}

// block writes one fenced block: a region, a prediction, or code as it stands.
func (p *parser) block(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*ast.FencedCodeBlock)
	info := ""
	if n.Info != nil {
		info = string(n.Info.Segment.Value(source))
	}
	var body strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		body.Write(line.Value(source))
	}
	out, err := p.fenced(info, body.String())
	if err != nil {
		return ast.WalkStop, err
	}
	_, err = w.WriteString(out)
	return ast.WalkContinue, err
}

func (p *parser) fenced(info, body string) (string, error) {
	lang, rest, _ := strings.Cut(strings.TrimSpace(info), " ")
	name, isRegion := strings.CutPrefix(strings.TrimSpace(rest), "region=")
	switch {
	case rest != "" && !isRegion:
		return "", fmt.Errorf("a block %q: nothing but region=name may follow the language", info)
	case isRegion:
		return p.region(lang, name, body)
	case lang == "predict":
		return p.predict(body)
	}
	return pre(lang, body), nil
}

func (p *parser) region(lang, name, body string) (string, error) {
	r, ok := p.regions[name]
	switch {
	case !ok:
		return "", fmt.Errorf("there is no region %q in the source", name)
	case lang != "go" || strings.TrimSpace(body) != "":
		return "", fmt.Errorf("the block of region %q must be an empty one of go", name)
	}
	p.shows = append(p.shows, name)
	return fmt.Sprintf("<figure class=\"code\" id=\"code-%s\">\n<figcaption>%s, line %d</figcaption>\n%s</figure>\n",
		r.Name, html.EscapeString(r.File), r.Line, pre("go", r.Source)), nil
}

// pre can be reached by keyboard, as what is too wide for it scrolls.
func pre(lang, body string) string {
	code := html.EscapeString(body)
	if lang == "go" {
		code = highlightGo(body)
	}
	class := ""
	if lang != "" {
		class = ` class="language-` + html.EscapeString(lang) + `"`
	}
	return "<pre tabindex=\"0\"><code" + class + ">" + code + "</code></pre>\n"
}

func (p *parser) predict(body string) (string, error) {
	question, answer, _ := strings.Cut(body, "\n")
	if strings.TrimSpace(question) == "" || strings.TrimSpace(answer) == "" {
		return "", errors.New("a predict block needs a question on its first line and an answer after it")
	}
	doc, err := p.parse([]byte(answer))
	if err != nil {
		return "", err
	}
	summary, err := p.line(question)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("<details class=\"predict\">\n<summary>" + summary + "</summary>\n")
	if err := p.md.Renderer().Render(&out, []byte(answer), doc); err != nil {
		return "", err
	}
	out.WriteString("</details>\n")
	return out.String(), nil
}

// line renders one line of Markdown without a paragraph around it.
func (p *parser) line(text string) (string, error) {
	doc, err := p.parse([]byte(text))
	if err != nil {
		return "", err
	}
	if only := doc.FirstChild(); only == nil || only.Kind() != ast.KindParagraph || only.NextSibling() != nil {
		return "", fmt.Errorf("%q is not one line of text", text)
	}
	var out strings.Builder
	if err := p.md.Renderer().Render(&out, []byte(text), doc); err != nil {
		return "", err
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), "<p>"), "</p>")
	return inner, nil
}
