// Prints which images BuildKit's own Dockerfile frontend would pull.
//
// Reads frames from stdin and answers each with one line of JSON on stdout. A frame is a 4-byte big-endian length and that
// many bytes of JSON: {"text": base64 of the Dockerfile, "args": {build arguments}, "platform": "linux/amd64"}. The answer:
// {"images": [canonical names], "frontend": "…", "errors": ["…"]}; images is null when BuildKit refuses the file.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

type question struct {
	Text     []byte            `json:"text"`
	Args     map[string]string `json:"args"`
	Platform string            `json:"platform"`
}

type answer struct {
	Images   []string `json:"images"`
	Frontend string   `json:"frontend"`
	Errors   []string `json:"errors"`
}

const config = `{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers",` +
	`"diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}`

// recorder answers every image's configuration, and keeps which were asked for.
type recorder struct {
	mu    sync.Mutex
	names map[string]struct{}
}

func (r *recorder) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[ref] = struct{}{}
	return ref, "", []byte(config), nil
}

// convert runs the frontend. Besides what it resolves, every image source of the build itself counts.
func convert(q question, all bool, images map[string]struct{}) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	platform, err := platforms.Parse(q.Platform)
	if err != nil {
		return err
	}
	args := map[string]string{}
	for k, v := range q.Args {
		args[k] = v
	}
	r := &recorder{names: map[string]struct{}{}}
	caps := pb.Caps.CapSet(pb.Caps.All())
	res, err := dockerfile2llb.Dockerfile2LLB(context.Background(), q.Text, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{BuildArgs: args},
		TargetPlatform: &platform,
		MetaResolver:   r,
		LLBCaps:        &caps,
		AllStages:      all,
	})
	if err != nil {
		return err
	}
	for name := range r.names {
		images[name] = struct{}{}
	}
	def, err := res.State.Marshal(context.Background())
	if err != nil {
		return err
	}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.Unmarshal(dt); err != nil {
			return err
		}
		if src := op.GetSource(); src != nil {
			if name, ok := strings.CutPrefix(src.Identifier, "docker-image://"); ok {
				images[name] = struct{}{}
			}
		}
	}
	return nil
}

func reply(q question) answer {
	var a answer
	images := map[string]struct{}{}
	built := false
	for _, all := range []bool{false, true} {
		if err := convert(q, all, images); err != nil {
			a.Errors = append(a.Errors, err.Error())
		} else {
			built = true
		}
	}
	if built {
		a.Images = []string{}
		for name := range images {
			a.Images = append(a.Images, name)
		}
		slices.Sort(a.Images)
	}
	if ref, _, _, ok := parser.DetectSyntax(q.Text); ok {
		a.Frontend = ref
	}
	return a
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		var size uint32
		if err := binary.Read(in, binary.BigEndian, &size); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		frame := make([]byte, size)
		if _, err := io.ReadFull(in, frame); err != nil {
			panic(err)
		}
		var q question
		if err := json.Unmarshal(frame, &q); err != nil {
			panic(err)
		}
		if err := encoder.Encode(reply(q)); err != nil {
			panic(err)
		}
		if err := out.Flush(); err != nil {
			panic(err)
		}
	}
}
