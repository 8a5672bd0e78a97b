package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Compiling the sources once for each bug would take far longer than finding it. Therefore all bugs
// within functions are grafted onto one copy of the sources: the copy contains each function
// together with its buggy versions, and the function calls the version whose number is in the
// environment.

// grafting is a copy of the sources with many bugs, at most one of which is active in a process.
type grafting struct {
	root  string
	files map[string]*grafted // by path
}

// grafted is a file of the copy.
type grafted struct {
	text    string   // text without any bug
	inserts []insert // calls of the buggy versions
	added   []string // buggy versions of functions
	pkg     string
}

type insert struct {
	at   int
	text string
}

// numberOf is the environment variable that contains the number of the active bug, from 1 on.
const numberOf = "PLANTED_BUG"

// function is a function of a file and its position in the text.
type function struct {
	decl       *ast.FuncDecl
	start, end int
}

// graft adds a bug with the given number. It reports false, and adds nothing, if the bug changes
// anything but functions, or if one of these cannot be called with its own parameters.
func (g *grafting) graft(b *bug, number int) bool {
	changed, err := b.changed(g.root)
	if err != nil {
		return false
	}
	type piece struct {
		path string
		in   insert
		add  string
	}
	var pieces []piece
	for path, text := range changed {
		f, err := g.file(path)
		if err != nil {
			return false
		}
		pairs, ok := changedFunctions(f.text, text)
		if !ok {
			return false
		}
		for _, p := range pairs {
			in, add, ok := handOver(text, p, number)
			if !ok {
				return false
			}
			pieces = append(pieces, piece{path, in, add})
		}
	}
	for _, p := range pieces {
		f := g.files[p.path]
		f.inserts, f.added = append(f.inserts, p.in), append(f.added, p.add)
	}
	return true
}

func (g *grafting) file(path string) (*grafted, error) {
	if f, ok := g.files[path]; ok {
		return f, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &grafted{text: string(text)}
	x, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly)
	if err != nil {
		return nil, err
	}
	f.pkg = x.Name.Name
	g.files[path] = f
	return f, nil
}

// changedFunctions returns the pairs of functions that differ between two versions of a file. It
// reports false if the versions differ elsewhere too.
func changedFunctions(old, new string) (pairs [][2]function, ok bool) {
	a, restA, errA := functionsOf(old)
	b, restB, errB := functionsOf(new)
	if errA != nil || errB != nil || len(a) != len(b) || restA != restB {
		return nil, false
	}
	for i := range a {
		if old[a[i].start:a[i].end] != new[b[i].start:b[i].end] {
			pairs = append(pairs, [2]function{a[i], b[i]})
		}
	}
	return pairs, true
}

// functionsOf returns the functions of a file in order, and the rest of its text.
func functionsOf(text string) (all []function, rest string, err error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, "", err
	}
	var b strings.Builder
	at := 0
	for _, d := range f.Decls {
		if x, ok := d.(*ast.FuncDecl); ok {
			start, end := set.Position(x.Pos()).Offset, set.Position(x.End()).Offset
			all = append(all, function{x, start, end})
			b.WriteString(text[at:start])
			at = end
		}
	}
	return all, b.String() + text[at:], nil
}

// handOver returns the call that a function must make to its buggy version, and that version.
func handOver(new string, p [2]function, number int) (in insert, add string, ok bool) {
	was, is := p[0].decl, p[1].decl
	call, ok := callOf(was)
	if !ok || was.Name.Name != is.Name.Name {
		return in, "", false
	}
	name := fmt.Sprintf("%sPlanted%d", was.Name.Name, number)
	call = strings.Replace(call, was.Name.Name+"(", name+"(", 1)
	if was.Type.Results == nil {
		call += "; return"
	} else {
		call = "return " + call
	}
	base := int(was.Pos()) - p[0].start
	in = insert{int(was.Body.Lbrace) - base + 1, fmt.Sprintf("\nif plantedHere == %d { %s }\n", number, call)}
	base = int(is.Pos()) - p[1].start
	at := int(is.Name.Pos()) - base
	return in, new[p[1].start:at] + name + new[at+len(is.Name.Name):p[1].end], true
}

// callOf returns a call of the function from within it, with its own parameters as arguments.
func callOf(d *ast.FuncDecl) (call string, ok bool) {
	call = d.Name.Name
	if d.Type.TypeParams != nil || d.Body == nil {
		return "", false
	}
	if d.Recv != nil {
		names, ok := namesOf(d.Recv)
		if !ok || len(names) != 1 || isGeneric(d.Recv.List[0].Type) {
			return "", false
		}
		call = names[0] + "." + call
	}
	args, ok := namesOf(d.Type.Params)
	return call + "(" + strings.Join(args, ", ") + ")", ok
}

func isGeneric(t ast.Expr) bool {
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	_, plain := t.(*ast.Ident)
	return !plain
}

// namesOf returns the names of parameters as arguments. It reports false if one has no name.
func namesOf(list *ast.FieldList) (names []string, ok bool) {
	for _, f := range list.List {
		if len(f.Names) == 0 {
			return nil, false
		}
		for _, n := range f.Names {
			name := n.Name
			if name == "_" {
				return nil, false
			}
			if _, rest := f.Type.(*ast.Ellipsis); rest {
				name += "..."
			}
			names = append(names, name)
		}
	}
	return names, true
}

// write writes the copy to dir and returns the file to pass to go's -overlay.
func (g *grafting) write(dir string) (overlay string, err error) {
	replace := map[string]string{}
	put := func(path, text string) {
		copied := filepath.Join(dir, fmt.Sprintf("%d_%s", len(replace), filepath.Base(path)))
		err = errors.Join(err, os.WriteFile(copied, []byte(text), 0o666))
		replace[path] = copied
	}
	for path, f := range g.files {
		put(path, f.whole())
		if number := filepath.Join(filepath.Dir(path), "planted_number.go"); replace[number] == "" {
			put(number, fmt.Sprintf(chooser, f.pkg, numberOf))
		}
	}
	if err != nil {
		return "", err
	}
	return writeOverlay(dir, replace)
}

// chooser is a source file added to each package that contains bugs.
const chooser = `package %s

import (
	"os"
	"strconv"
)

var plantedHere, _ = strconv.Atoi(os.Getenv(%q))
`

// whole returns the text of the file with all grafted bugs.
func (f *grafted) whole() string {
	inserts := slices.Clone(f.inserts)
	slices.SortStableFunc(inserts, func(a, b insert) int { return a.at - b.at })
	var b strings.Builder
	at := 0
	for _, x := range inserts {
		b.WriteString(f.text[at:x.at])
		b.WriteString(x.text)
		at = x.at
	}
	b.WriteString(f.text[at:] + "\n")
	for _, text := range f.added {
		b.WriteString("\n" + text + "\n")
	}
	return b.String()
}
