package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

// query has one value and no bindings, which is what Allowed asks for.
const query = "data.signature.allow"

var allow = ast.MustParseRef(query)

// judgeRego evaluates all files together, in Rego's syntax v0: the calls of cosign's pkg/cosign/rego, except that the
// files' content is what tsign read.
func judgeRego(r request) []string {
	ctx := context.Background()
	input, err := decode(r.Statement)
	if err != nil {
		return []string{"the statement is not JSON: " + err.Error()}
	}
	options := []func(*rego.Rego){rego.Query(query), rego.SetRegoVersion(ast.RegoV0)}
	var modules []*ast.Module
	for _, file := range r.Rego {
		// As OPA's loader does it.
		parser := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV0}
		module, err := ast.ParseModuleWithOpts(filepath.Clean(file.Path), file.Text, parser)
		if err != nil {
			return regoErrors(file.Path, err)
		}
		modules = append(modules, module)
		options = append(options, rego.ParsedModule(module))
	}
	prepared, err := rego.New(options...).PrepareForEval(ctx)
	if err != nil {
		return regoErrors(paths(r.Rego), err)
	}
	answers := builtins.NDBCache{} // what the outside said the first time is what the explanation is made with
	results, err := prepared.Eval(ctx, rego.EvalInput(input), rego.EvalNDBuiltinCache(answers))
	if err != nil {
		return regoErrors(paths(r.Rego), err)
	}
	if results.Allowed() {
		return nil
	}
	head := regoHead(results, modules, paths(r.Rego))
	why := &failures{input: ast.NewTerm(mustValue(input))}
	why.collect(func() {
		_, _ = prepared.Eval(ctx, rego.EvalInput(input), rego.EvalNDBuiltinCache(answers),
			rego.EvalQueryTracer(why), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	})
	return append([]string{head}, why.reasons()...)
}

func mustValue(input any) ast.Value {
	value, err := ast.InterfaceToValue(input)
	if err != nil {
		return ast.Null{}
	}
	return value
}

func paths(files []source) string {
	var all []string
	for _, file := range files {
		all = append(all, file.Path)
	}
	return strings.Join(all, ", ")
}

// regoHead says what the query gave instead of true, and where its rules stand.
func regoHead(results rego.ResultSet, modules []*ast.Module, files string) string {
	var rules []string
	for _, module := range modules {
		for _, rule := range module.Rules {
			if rule.Ref().HasPrefix(allow) {
				rules = append(rules, fmt.Sprintf("%s:%d", rule.Location.File, rule.Location.Row))
			}
		}
	}
	where := strings.Join(rules, ", ")
	for _, result := range results {
		for _, expression := range result.Expressions {
			return fmt.Sprintf("%s: %s: expression value, %s, is not true", where, query, show(expression.Value))
		}
	}
	if len(rules) == 0 {
		return fmt.Sprintf("%s: result is undefined for query '%s': there is no rule allow in a package signature", files, query)
	}
	return fmt.Sprintf("%s: result is undefined for query '%s': no rule allow holds", where, query)
}

// regoErrors makes a reason of each error of the parser or compiler, or of the evaluation's one.
func regoErrors(files string, err error) []string {
	var list ast.Errors
	if errors.As(err, &list) && len(list) > 0 {
		var reasons []string
		for _, each := range list {
			place := files
			if each.Location != nil && each.Location.File != "" {
				place = fmt.Sprintf("%s:%d", each.Location.File, each.Location.Row)
			}
			reasons = append(reasons, fmt.Sprintf("%s: %s: %s", place, each.Code, line(each.Message)))
		}
		return reasons
	}
	var evaluation *topdown.Error
	if errors.As(err, &evaluation) && evaluation.Location != nil {
		at := evaluation.Location
		return []string{fmt.Sprintf("%s:%d: %s: %s", at.File, at.Row, evaluation.Code, line(evaluation.Message))}
	}
	return []string{files + ": " + line(err.Error())}
}
