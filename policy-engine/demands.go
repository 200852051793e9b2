package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// policy is a Rego file: its path as the user gave it, and its parsed content.
type policy struct {
	path   string
	module *ast.Module
}

// signature is the package whose rule allow is evaluated.
var signature = ast.MustParseRef("data.signature")

// arrange separates demands from libraries. Every policy is a demand of its own, but OPA merges the files of a package and
// would treat them as alternatives. Therefore:
//
//   - a file of package signature with a rule allow, other than a default, is a demand;
//   - every other file is a library, and a demand must use it, by an import or a reference, directly or through another
//     library. A library that nothing uses would have no effect, and is refused;
//   - a library of package signature must not define what a demand or another such library defines: once merged, the
//     definitions would be alternatives;
//   - a demand cannot use what only another demand defines.
//
// The reasons name the files that break these rules.
func arrange(all []policy) (demands, libraries []policy, reasons []string) {
	for _, each := range all {
		if each.demands() {
			demands = append(demands, each)
		} else {
			libraries = append(libraries, each)
		}
	}
	if reasons = repeated(demands, libraries); len(reasons) > 0 {
		return nil, nil, reasons
	}
	used := map[string]bool{}
	for _, each := range demands {
		compiler, err := together(each, libraries)
		if err != nil {
			reasons = append(reasons, regoErrors(paths(append([]policy{each}, libraries...)), err)...)
			reasons = append(reasons, each.misses(demands)...)
			continue
		}
		reach := reachable(compiler, each)
		for path := range reach {
			used[path] = true
		}
		reasons = append(reasons, each.reachesInto(demands, libraries, compiler, reach)...)
	}
	if len(reasons) > 0 {
		return nil, nil, sorted(reasons) // an error in a library is found once for each demand
	}
	for _, each := range libraries {
		if !used[each.file()] {
			reasons = append(reasons, each.unused(len(demands)))
		}
	}
	return demands, libraries, reasons
}

// file returns the path in the module's locations.
func (p policy) file() string { return filepath.Clean(p.path) }

func (p policy) inSignature() bool { return p.module.Package.Path.Equal(signature) }

// demands reports whether the file has a rule allow that is more than a default.
func (p policy) demands() bool {
	if !p.inSignature() {
		return false
	}
	for _, rule := range p.module.Rules {
		if !rule.Default && rule.Ref().HasPrefix(allow) {
			return true
		}
	}
	return false
}

// names returns what the file defines in its package: the first name of each rule.
func (p policy) names() map[string]bool {
	names := map[string]bool{}
	for _, rule := range p.module.Rules {
		names[nameOf(rule)] = true
	}
	return names
}

func nameOf(rule *ast.Rule) string {
	if head := rule.Head.Ref(); len(head) > 0 {
		return strings.Trim(head[0].String(), `"`)
	}
	return string(rule.Head.Name)
}

// unused returns the reason why the file has no effect.
func (p policy) unused(demands int) string {
	switch {
	case p.inSignature() && p.names()["allow"]:
		return p.path + ": only sets a default for allow: no rule in it says what is allowed"
	case demands == 0 && !p.inSignature():
		return fmt.Sprintf("%s: there is no rule allow in a package signature: its package is %s", p.path, packageOf(p.module))
	case demands == 0:
		return p.path + ": there is no rule allow in a package signature"
	case p.inSignature():
		return p.path + ": has no rule allow, and no other policy uses what it defines"
	}
	return fmt.Sprintf("%s: its package is %s, not signature, and no other policy imports it", p.path, packageOf(p.module))
}

func packageOf(module *ast.Module) string {
	return strings.TrimPrefix(module.Package.Path.String(), "data.")
}

// repeated returns a reason for each rule name that several files of package signature define, since OPA would merge them.
func repeated(demands, libraries []policy) (reasons []string) {
	var helpers []policy
	for _, each := range libraries {
		if each.inSignature() && len(each.names()) > 0 {
			helpers = append(helpers, each)
		}
	}
	for index, helper := range helpers {
		for _, other := range append(append([]policy{}, demands...), helpers[:index]...) {
			for name := range other.names() {
				if !helper.names()[name] {
					continue
				}
				if name == "allow" {
					reasons = append(reasons, helper.unused(len(demands)))
				} else {
					reasons = append(reasons, fmt.Sprintf(
						"%s: defines %s, which %s defines too: put both into one file, or each into a package of its own",
						helper.path, name, other.path))
				}
			}
		}
	}
	return sorted(reasons)
}

// together compiles a demand with the libraries, as it will be evaluated.
func together(demand policy, libraries []policy) (*ast.Compiler, error) {
	modules := map[string]*ast.Module{demand.file(): demand.module.Copy()}
	for _, each := range libraries {
		modules[each.file()] = each.module.Copy()
	}
	compiler := ast.NewCompiler().WithDefaultRegoVersion(ast.RegoV0)
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

// reachable returns the files that a demand uses, including itself: files whose rules its rules refer to, files of packages that
// it imports, and the files that these use.
func reachable(compiler *ast.Compiler, demand policy) map[string]bool {
	reached := map[string]bool{}
	queue := []string{demand.file()}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if reached[path] {
			continue
		}
		reached[path] = true
		module := compiler.Modules[path]
		ast.WalkRules(module, func(rule *ast.Rule) bool { // else branches too
			for dependency := range compiler.Graph.Dependencies(rule) {
				if used, ok := dependency.(*ast.Rule); ok && used.Location != nil {
					queue = append(queue, used.Location.File)
				}
			}
			return false
		})
		for other, each := range compiler.Modules {
			if imports(module, each.Package.Path) {
				queue = append(queue, other)
			}
		}
	}
	return reached
}

// imports reports whether the file imports the package, or something in it.
func imports(module *ast.Module, pkg ast.Ref) bool {
	for _, each := range module.Imports {
		if ref, ok := each.Path.Value.(ast.Ref); ok && ref.HasPrefix(pkg) {
			return true
		}
	}
	return false
}

// misses names the demands that define what the policy needs to compile.
func (p policy) misses(demands []policy) (reasons []string) {
	mentioned := map[string]bool{}
	for _, rule := range p.module.Rules {
		ast.WalkVars(rule, func(v ast.Var) bool {
			mentioned[string(v)] = true
			return false
		})
	}
	for _, other := range demands {
		if other.path == p.path {
			continue
		}
		for name := range other.names() {
			if mentioned[name] && !p.names()[name] {
				reasons = append(reasons, p.without(name, other))
			}
		}
	}
	return sorted(reasons)
}

func (p policy) without(name string, other policy) string {
	return fmt.Sprintf("%s: uses %s of %s, which is a policy of its own: move %s into a file without a rule allow",
		p.path, name, other.path, name)
}

// reachesInto returns a reason for each reference, in the files that the policy uses, to what only other demands define. It would
// be undefined, which `not` makes true.
func (p policy) reachesInto(demands, libraries []policy, compiler *ast.Compiler, reached map[string]bool) (reasons []string) {
	own := p.names()
	for _, each := range libraries {
		if each.inSignature() {
			for name := range each.names() {
				own[name] = true
			}
		}
	}
	for _, other := range demands {
		for name := range other.names() {
			if own[name] {
				continue
			}
			target := signature.Append(ast.StringTerm(name))
			for path := range reached {
				ast.WalkRules(compiler.Modules[path], func(rule *ast.Rule) bool {
					ast.WalkRefs(rule, func(ref ast.Ref) bool {
						if mayReach(ref, target) {
							reasons = append(reasons, p.without(name, other))
						}
						return false
					})
					return true
				})
			}
		}
	}
	return sorted(reasons)
}

// mayReach reports whether the reference is to the target, to a part of it, or to something that contains it.
func mayReach(ref, target ast.Ref) bool {
	for index := 0; index < len(ref) && index < len(target); index++ {
		if ref[index].IsGround() && !ref[index].Equal(target[index]) {
			return false
		}
	}
	return len(ref) > 0 && ref[0].Equal(target[0])
}
