package picture

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
)

//go:embed page
var page embed.FS

// scripts are the parts of the page's one script, in the order in which they use each other.
var scripts = []string{"data", "kinds", "colours", "scale", "view", "axis", "bands", "network", "crowds", "arrows", "marks", "overview", "draw",
	"point", "details", "list", "legend", "input", "main"}

// Write writes the page that shows r. The same run gives the same bytes. It returns an error, and
// has written nothing, if r speaks of a lane that is not there or of a time that cannot be.
func Write(w io.Writer, r *Run) error {
	if err := r.check(); err != nil {
		return err
	}
	data, err := json.Marshal(encode(r)) // writes <, > and & as \u003c …: no text of a message ends the script
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	_, err = w.Write(assemble(r.Title, data))
	return err
}

// assemble puts the parts of the page where its frame has a place for them, in one pass: what a run
// says is never taken for such a place.
func assemble(title string, data []byte) []byte {
	places := map[string]func(*bytes.Buffer){
		"title":  func(b *bytes.Buffer) { b.WriteString(html.EscapeString(title)) },
		"style":  func(b *bytes.Buffer) { b.Write(part("style.css")) },
		"data":   func(b *bytes.Buffer) { b.Write(data) },
		"script": writeScripts,
	}
	var b bytes.Buffer
	rest := part("frame.html")
	for {
		before, after, found := bytes.Cut(rest, []byte("{{"))
		b.Write(before)
		if !found {
			return b.Bytes()
		}
		name, after, _ := bytes.Cut(after, []byte("}}"))
		places[string(name)](&b)
		rest = after
	}
}

func writeScripts(b *bytes.Buffer) {
	for _, name := range scripts {
		b.Write(part(name + ".js"))
	}
}

// part returns a file of the page; that it is there is known when the package is built and tested.
func part(name string) []byte {
	text, err := page.ReadFile("page/" + name)
	if err != nil {
		panic(err)
	}
	return text
}
