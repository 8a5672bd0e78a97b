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

// scripts are the parts of the page's script. Each part uses only those before it when it is loaded.
var scripts = []string{"data", "kinds", "colours", "scale", "view", "axis", "bands", "network", "crowds", "arrows", "marks", "overview", "draw",
	"point", "details", "list", "legend", "input", "main"}

// Write writes the page of a run. Equal runs give equal bytes. If r has a lane or a time that does not exist,
// Write returns an error and writes nothing.
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

// assemble replaces the places in the page's frame by its parts, in one pass, so that no text of a run can
// be taken for such a place.
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

// part returns a file of the page. It panics if the file does not exist, which tests exclude.
func part(name string) []byte {
	text, err := page.ReadFile("page/" + name)
	if err != nil {
		panic(err)
	}
	return text
}
