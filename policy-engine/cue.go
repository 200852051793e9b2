package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/cue/token"
	cuejson "cuelang.org/go/encoding/json"
)

// judgeCue unifies all files, as one instance, with the statement: the calls of cosign's pkg/cosign/cue, except that the
// files' content is what tsign read.
func judgeCue(r request) []string {
	overlay := map[string]load.Source{}
	names := map[string]string{}
	var paths []string
	for _, file := range distinct(r.Cue) {
		absolute := file.Path
		if !filepath.IsAbs(absolute) {
			absolute = filepath.Join(r.Cwd, absolute)
		}
		overlay[absolute] = load.FromString(file.Text)
		names[absolute] = file.Path
		paths = append(paths, file.Path)
	}
	explain := cueExplainer{names: names, paths: paths, cwd: r.Cwd, statement: r.Statement}
	instances := load.Instances(paths, &load.Config{Dir: r.Cwd, Overlay: overlay})
	if len(instances) == 0 {
		return []string{"the CUE policies do not form an instance"}
	}
	context := cuecontext.New()
	for _, instance := range instances {
		if instance.Err != nil {
			return explain.all(instance.Err)
		}
		if reasons := explain.unused(instance); len(reasons) > 0 {
			return reasons
		}
		value := context.BuildInstance(instance)
		if err := value.Err(); err != nil {
			return explain.all(err)
		}
		if err := cuejson.Validate(r.Statement, value); err != nil {
			return explain.all(err)
		}
	}
	return nil
}

// unused returns a reason for each policy that would have no effect: files that CUE leaves out of a package (tests, tools, files
// excluded by an attribute), files that require nothing, and files of definitions that no other file refers to. Every policy
// that was named must have an effect.
func (e cueExplainer) unused(instance *build.Instance) []string {
	files := map[string]*ast.File{}
	var queue []string
	for _, file := range instance.Files {
		files[file.Filename] = file
		if requires(file.Decls) {
			queue = append(queue, file.Filename)
		}
	}
	used := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if used[name] {
			continue
		}
		used[name] = true
		referred := references(files[name])
		for other, file := range files {
			if definesAny(file, referred) {
				queue = append(queue, other)
			}
		}
	}
	var reasons []string
	for absolute, name := range e.names {
		if files[absolute] == nil {
			reasons = append(reasons, name+": CUE leaves this file out because of its name or an attribute")
		} else if !used[absolute] {
			reasons = append(reasons, name+": this policy requires nothing of the statement, and no other policy refers to it")
		}
	}
	return sorted(reasons)
}

// requires reports whether declarations contain more than imports, comments, definitions, hidden fields and values that every
// statement satisfies.
func requires(declarations []ast.Decl) bool {
	return slices.ContainsFunc(declarations, func(declaration ast.Decl) bool {
		switch each := declaration.(type) {
		case *ast.Package, *ast.ImportDecl, *ast.CommentGroup, *ast.Attribute, *ast.BadDecl, *ast.Ellipsis, *ast.LetClause:
			return false
		case *ast.EmbedDecl:
			return requiresValue(each.Expr)
		case *ast.Field:
			name, isIdentifier, err := ast.LabelName(each.Label)
			return (err != nil || !isIdentifier || !internalLabel(name)) && requiresValue(each.Value)
		}
		return true
	})
}

// requiresValue reports whether an expression excludes any value: `_` and structs of definitions only do not.
func requiresValue(value ast.Expr) bool {
	switch each := value.(type) {
	case *ast.Ident:
		return each.Name != "_"
	case *ast.StructLit:
		return requires(each.Elts)
	}
	return true
}

// internalLabel reports whether a label is that of a definition or hidden field; these are not compared with the statement.
func internalLabel(name string) bool {
	return strings.HasPrefix(name, "#") || strings.HasPrefix(name, "_")
}

// references returns the names by which a file refers to top-level fields of its own or another file.
func references(file *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, each := range file.Unresolved {
		names[each.Name] = true
	}
	ast.Walk(file, func(node ast.Node) bool {
		if each, ok := node.(*ast.Ident); ok && each.Scope == ast.Node(file) {
			names[each.Name] = true
		}
		return true
	}, nil)
	return names
}

// definesAny reports whether a top-level field of the file has one of the names.
func definesAny(file *ast.File, names map[string]bool) bool {
	return slices.ContainsFunc(file.Decls, func(declaration ast.Decl) bool {
		field, ok := declaration.(*ast.Field)
		if !ok {
			return false
		}
		name, isIdentifier, err := ast.LabelName(field.Label)
		return err == nil && isIdentifier && names[name]
	})
}

// cueExplainer describes which rule of which file is violated, and the statement's value there.
type cueExplainer struct {
	names     map[string]string // from absolute paths to those the user gave
	paths     []string
	cwd       string
	statement []byte
}

func (e cueExplainer) all(err error) []string {
	var reasons []string
	for _, each := range errors.Errors(err) {
		reason := e.one(each)
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 { // errors of other kinds are failures too
		reasons = append(reasons, e.place(nil)+": "+line(err.Error()))
	}
	return reasons
}

func (e cueExplainer) one(err errors.Error) string {
	reason := e.place(errors.Positions(err)) + ": " + line(err.Error())
	root, decodeError := decode(e.statement)
	if len(err.Path()) == 0 || decodeError != nil {
		return reason
	}
	if value, name, ok := at(root, err.Path()); ok {
		return reason + "; the statement has " + name + " = " + show(value)
	}
	return reason + "; the statement has no " + strings.Join(err.Path(), ".")
}

// place lists the policies' lines that the error comes from, or all files if it has no position.
func (e cueExplainer) place(positions []token.Pos) string {
	var places []string
	for _, position := range positions {
		at := position.Position()
		name, own := e.names[at.Filename]
		if !own {
			name, own = e.names[filepath.Join(e.cwd, at.Filename)]
		}
		if !own && strings.HasSuffix(at.Filename, ".cue") { // in a package that a policy imports
			name, own = at.Filename, true
		}
		if place := fmt.Sprintf("%s:%d", name, at.Line); own && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) == 0 {
		places = e.paths
	}
	return strings.Join(places, ", ")
}

// at returns the value at a CUE path in JSON.
func at(root any, path []string) (value any, name string, ok bool) {
	value = root
	for _, step := range path {
		key := step
		if unquoted, err := strconv.Unquote(step); err == nil {
			key = unquoted
		}
		switch parent := value.(type) {
		case map[string]any:
			if value, ok = parent[key]; !ok {
				return nil, "", false
			}
		case []any:
			index, err := strconv.Atoi(key)
			if err != nil || index < 0 || index >= len(parent) {
				return nil, "", false
			}
			value = parent[index]
		default:
			return nil, "", false
		}
	}
	return value, strings.Join(path, "."), true
}
