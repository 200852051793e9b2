package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// failuresMax limits the failed expressions that are reported, eventsMax the evaluation events that are examined for them.
const (
	failuresMax = 12
	eventsMax   = 200_000
)

// failures follows an evaluation and keeps the failed expressions because of which allow does not hold: those of the query's own
// rules, and of the rules that a failed expression evaluated. Failures on the way to a success are left out.
type failures struct {
	input   *ast.Term
	events  int
	current map[uint64]*ast.Location // the current expression of each query
	owner   map[uint64]call          // the expression and query that evaluated it
	failed  map[call]bool
	found   []failure
}

type call struct {
	query uint64
	place string
}

type failure struct {
	query  uint64
	reason string
}

type stop struct{}

func (f *failures) collect(evaluate func()) {
	f.current, f.owner, f.failed = map[uint64]*ast.Location{}, map[uint64]call{}, map[call]bool{}
	defer func() {
		if ended := recover(); ended != nil {
			if _, own := ended.(stop); !own {
				panic(ended)
			}
		}
	}()
	evaluate()
}

func (*failures) Enabled() bool { return true }

func (*failures) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

func (f *failures) TraceEvent(event topdown.Event) {
	if f.events++; f.events > eventsMax {
		panic(stop{})
	}
	switch event.Op {
	case topdown.EnterOp:
		if _, known := f.owner[event.QueryID]; !known {
			f.owner[event.QueryID] = call{event.ParentID, placeOf(f.current[event.ParentID])}
		}
	case topdown.EvalOp, topdown.RedoOp:
		f.current[event.QueryID] = event.Location
	case topdown.FailOp:
		expression, ok := event.Node.(*ast.Expr)
		if !ok || event.Location == nil {
			return
		}
		if event.Location.File == "" { // the query itself
			return
		}
		place := call{event.QueryID, placeOf(event.Location)}
		f.failed[place] = true
		f.found = append(f.found, failure{event.QueryID, f.tell(expression, event)})
	}
}

func placeOf(location *ast.Location) string {
	if location == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", location.File, location.Row, location.Col)
}

func (f *failures) reasons() []string {
	var reasons []string
	for _, each := range f.found {
		if f.matters(each.query) && !slices.Contains(reasons, each.reason) {
			reasons = append(reasons, each.reason)
		}
		if len(reasons) == failuresMax {
			break
		}
	}
	return reasons
}

// matters reports whether everything that led to this query failed too.
func (f *failures) matters(query uint64) bool {
	for depth := 0; depth < 100; depth++ {
		owner, known := f.owner[query]
		if !known || owner.query == query || owner.place == "" {
			return true
		}
		_, top := f.owner[owner.query]
		if top && f.owner[owner.query].place != "" && !f.failed[owner] {
			return false
		}
		query = owner.query
	}
	return false
}

// tell returns an expression's place and text, and the values in it.
func (f *failures) tell(expression *ast.Expr, event topdown.Event) string {
	text := line(string(event.Location.Text))
	var saw []string
	add := func(name, value string) {
		if each := name + " = " + value; name != value && !slices.Contains(saw, each) {
			saw = append(saw, each)
		}
	}
	ast.WalkTerms(expression, func(term *ast.Term) bool {
		switch value := term.Value.(type) {
		case ast.Ref:
			plugged, ok := event.Plug(term).Value.(ast.Ref)
			if !ok {
				return false
			}
			head, name := f.input.Value, plugged.String()
			if !value.HasPrefix(ast.InputRootRef) {
				local, ok := value[0].Value.(ast.Var)
				if head = event.Locals.Get(local); !ok || head == nil {
					return false
				}
				if meta, ok := event.LocalMetadata[local]; ok && !meta.Name.IsGenerated() {
					name = string(meta.Name) + strings.TrimPrefix(value.String(), string(local))
				} else {
					return false
				}
			}
			if seen, err := head.Find(plugged[1:]); err != nil {
				add(name, "undefined")
			} else {
				add(name, cut(seen.String()))
			}
			return true
		case ast.Var:
			seen := event.Locals.Get(value)
			if seen == nil {
				return false
			}
			name := value
			if meta, ok := event.LocalMetadata[value]; ok {
				name = meta.Name
			}
			if name.IsGenerated() || name.IsWildcard() {
				add("the value", cut(seen.String()))
			} else {
				add(string(name), cut(seen.String()))
			}
		}
		return false
	})
	if expression.Negated {
		saw = []string{"that it holds without the not"}
	}
	reason := fmt.Sprintf("%s:%d: %s does not hold", event.Location.File, event.Location.Row, cut(text))
	if len(saw) > 0 {
		reason += ", saw " + strings.Join(saw, ", ")
	}
	return reason
}
