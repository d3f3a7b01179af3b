package lesson

import (
	"go/scanner"
	"go/token"
	"html"
	"strings"
)

// highlightGo writes Go source as HTML, its tokens in spans with classes. It
// takes fragments too: what is no Go stays plain text.
func highlightGo(source string) string {
	src := []byte(source)
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, func(token.Position, string) {}, scanner.ScanComments)

	type piece struct {
		begin, end int
		class      string
	}
	var pieces []piece
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		begin := file.Offset(pos)
		if tok == token.LPAREN && len(pieces) > 0 {
			if last := &pieces[len(pieces)-1]; last.class == "ident" && last.end == begin {
				last.class = "call"
			}
		}
		if class := classOf(tok); class != "" {
			pieces = append(pieces, piece{begin, begin + len(lit), class})
		}
	}
	var b strings.Builder
	at := 0
	for _, p := range pieces {
		// The scanner drops carriage returns, so a literal may be longer in src.
		if p.class == "ident" || p.begin < at || p.end > len(src) {
			continue
		}
		b.WriteString(html.EscapeString(source[at:p.begin]))
		b.WriteString(`<span class="tok-` + p.class + `">` + html.EscapeString(source[p.begin:p.end]) + `</span>`)
		at = p.end
	}
	b.WriteString(html.EscapeString(source[at:]))
	return b.String()
}

func classOf(tok token.Token) string {
	switch {
	case tok.IsKeyword():
		return "keyword"
	case tok == token.STRING || tok == token.CHAR:
		return "string"
	case tok == token.INT || tok == token.FLOAT || tok == token.IMAG:
		return "number"
	case tok == token.COMMENT:
		return "comment"
	case tok == token.IDENT:
		return "ident"
	}
	return ""
}
