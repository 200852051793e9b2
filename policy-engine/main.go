// The policy engine evaluates CUE and Rego policies for one in-toto statement, with the libraries and the calls of cosign.
// It is compiled natively and to WebAssembly (scripts/policy-engine.ts) and run by src/policy/ in a process of its own: a
// request comes in on stdin as JSON, a verdict goes out on stdout as JSON. Anything else counts as a failure.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// heap is the garbage collector's soft limit, in bytes; the starter of the engine limits the WebAssembly memory itself.
const heap = 768 << 20

// reasonsMax limits the reasons in a verdict.
const reasonsMax = 20

// source is a policy: its path as the user gave it, and its content.
type source struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

type request struct {
	Statement []byte   `json:"statement"` // base64 in JSON
	Cwd       string   `json:"cwd"`
	Cue       []source `json:"cue"`
	Rego      []source `json:"rego"`
}

// verdict is the answer; Ok only if there are no reasons.
type verdict struct {
	Ok      bool     `json:"ok"`
	Reasons []string `json:"reasons"`
}

func main() {
	debug.SetMemoryLimit(heap)
	many := false // requests one after the other, a verdict a line: for tests
	for _, argument := range os.Args[1:] {
		var memory uint64
		if argument == "many" {
			many = true
		} else if _, err := fmt.Sscanf(argument, "memory=%d", &memory); err == nil {
			confine(memory << 20) // MiB
		} else {
			fmt.Fprintf(os.Stderr, "unknown argument %q\n", argument)
			os.Exit(1)
		}
	}
	decoder := json.NewDecoder(os.Stdin)
	for {
		var r request
		if err := decoder.Decode(&r); many && err == io.EOF {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, "read request:", err)
			os.Exit(1)
		}
		if err := answer(judge(r)); err != nil {
			os.Exit(1)
		}
		if !many {
			return
		}
	}
}

// answer writes the verdict for the reasons on one line.
func answer(reasons []string) error {
	if len(reasons) > reasonsMax {
		more := len(reasons) - reasonsMax
		reasons = append(reasons[:reasonsMax], fmt.Sprintf("and %d more", more))
	}
	return json.NewEncoder(os.Stdout).Encode(verdict{Ok: len(reasons) == 0, Reasons: append([]string{}, reasons...)})
}

// judge returns the reasons against the statement: CUE first, then Rego, as in cosign.
func judge(r request) []string {
	if len(r.Cue)+len(r.Rego) == 0 {
		return []string{"there is no policy"}
	}
	if len(r.Cue) > 0 {
		if reasons := judgeCue(r); len(reasons) > 0 {
			return reasons
		}
	}
	if len(r.Rego) > 0 {
		return judgeRego(r)
	}
	return nil
}
