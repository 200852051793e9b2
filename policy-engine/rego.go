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

// query has one value and no bindings, as Allowed requires.
const query = "data.signature.allow"

var allow = ast.MustParseRef(query)

// judgeRego evaluates allow of every demand, with the libraries and without the other demands, in Rego's syntax v0. It makes the
// calls of cosign's pkg/cosign/rego, except that the files' content is what tsign read.
func judgeRego(r request) []string {
	input, err := decode(r.Statement)
	if err != nil {
		return []string{"the statement is not JSON: " + err.Error()}
	}
	var all []policy
	for _, file := range distinct(r.Rego) {
		// As OPA's loader does it.
		parser := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV0}
		module, err := ast.ParseModuleWithOpts(filepath.Clean(file.Path), file.Text, parser)
		if err != nil {
			return regoErrors(file.Path, err)
		}
		all = append(all, policy{file.Path, module})
	}
	demands, libraries, reasons := arrange(all)
	if len(reasons) > 0 {
		return reasons
	}
	answers := builtins.NDBCache{} // repeated requests get the first answer
	for _, each := range demands {
		reasons = append(reasons, each.judge(libraries, input, answers)...)
	}
	return reasons
}

// judge evaluates the policy's allow, and returns the reasons why it is not true.
func (p policy) judge(libraries []policy, input any, answers builtins.NDBCache) []string {
	ctx := context.Background()
	together := append([]policy{p}, libraries...)
	options := []func(*rego.Rego){rego.Query(query), rego.SetRegoVersion(ast.RegoV0)}
	for _, each := range together {
		options = append(options, rego.ParsedModule(each.module.Copy()))
	}
	prepared, err := rego.New(options...).PrepareForEval(ctx)
	if err != nil {
		return regoErrors(paths(together), err)
	}
	results, err := prepared.Eval(ctx, rego.EvalInput(input), rego.EvalNDBuiltinCache(answers))
	if err != nil {
		return regoErrors(paths(together), err)
	}
	if results.Allowed() {
		return nil
	}
	why := &failures{input: ast.NewTerm(mustValue(input))}
	why.collect(func() {
		_, _ = prepared.Eval(ctx, rego.EvalInput(input), rego.EvalNDBuiltinCache(answers),
			rego.EvalQueryTracer(why), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	})
	return append([]string{p.head(results)}, why.reasons()...)
}

func mustValue(input any) ast.Value {
	value, err := ast.InterfaceToValue(input)
	if err != nil {
		return ast.Null{}
	}
	return value
}

func paths(policies []policy) string {
	var all []string
	for _, each := range policies {
		all = append(all, each.path)
	}
	return strings.Join(all, ", ")
}

// head returns the query's value instead of true, and the lines of the policy's rules.
func (p policy) head(results rego.ResultSet) string {
	var rules []string
	for _, rule := range p.module.Rules {
		if rule.Ref().HasPrefix(allow) {
			rules = append(rules, fmt.Sprintf("%s:%d", rule.Location.File, rule.Location.Row))
		}
	}
	where := strings.Join(rules, ", ")
	for _, result := range results {
		for _, expression := range result.Expressions {
			return fmt.Sprintf("%s: %s: expression value, %s, is not true", where, query, show(expression.Value))
		}
	}
	return fmt.Sprintf("%s: result is undefined for query '%s': no rule allow holds", where, query)
}

// regoErrors returns a reason for each error of the parser or compiler, or for the error of the evaluation.
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
