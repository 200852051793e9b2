// Reads each set of Rego files as demands, with Open Policy Agent and none of tsign's code: every file of package
// signature with a rule allow that is more than a default is asked for its allow, with the files that have none beside
// it. For each line of JSON on stdin a line is written: the answer for each such file, "yes", "no" or "error"; null for a
// set that does not parse.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

type request struct {
	Input json.RawMessage   `json:"input"`
	Files map[string]string `json:"files"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for decoder := json.NewDecoder(in); ; {
		var r request
		if decoder.Decode(&r) != nil {
			return
		}
		line, err := json.Marshal(read(r))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Write(append(line, '\n'))
		out.Flush()
	}
}

func read(r request) map[string]string {
	answers := map[string]string{}
	var libraries []string
	for name, text := range r.Files {
		module, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV0})
		if err != nil {
			return nil
		}
		if demands(module) {
			answers[name] = ""
		} else {
			libraries = append(libraries, name)
		}
	}
	for name := range answers {
		answers[name] = ask(r, append([]string{name}, libraries...))
	}
	return answers
}

func demands(module *ast.Module) bool {
	if module.Package.Path.String() != "data.signature" {
		return false
	}
	for _, rule := range module.Rules {
		if name := rule.Head.Ref()[0].Value.String(); !rule.Default && name == "allow" {
			return true
		}
	}
	return false
}

func ask(r request, names []string) string {
	var input any
	if err := json.Unmarshal(r.Input, &input); err != nil {
		return "error"
	}
	options := []func(*rego.Rego){
		rego.Query("data.signature.allow"), rego.SetRegoVersion(ast.RegoV0), rego.Input(input),
	}
	for _, name := range names {
		options = append(options, rego.Module(name, r.Files[name]))
	}
	results, err := rego.New(options...).Eval(context.Background())
	switch {
	case err != nil:
		return "error"
	case results.Allowed():
		return "yes"
	}
	return "no"
}
