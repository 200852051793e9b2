// Prints which images Kubernetes' own YAML reader finds in a stream of manifests.
//
// Reads frames from stdin (a 4-byte big-endian length and that many bytes: the stream itself) and answers each with one line
// of JSON on stdout: {"images": […], "errors": […]}; images is null when no way of reading takes the stream.
//
// A stream is read in every way that programs around Kubernetes do: split as kubectl splits it and turned into JSON by
// sigs.k8s.io/yaml; all at once by the YAML library behind it; and decoded into structures as encoding/json does, which
// does not mind the case of a field's name.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	goyaml "go.yaml.in/yaml/v2"
	k8s "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type answer struct {
	Images []string `json:"images"`
	Errors []string `json:"errors"`
}

type container struct {
	Image string `json:"image"`
}

type volume struct {
	Image *struct {
		Reference string `json:"reference"`
	} `json:"image"`
}

type podSpec struct {
	Containers          []container `json:"containers"`
	InitContainers      []container `json:"initContainers"`
	EphemeralContainers []container `json:"ephemeralContainers"`
	Volumes             []volume    `json:"volumes"`
}

// object has a field for the pod of each kind of workload.
type object struct {
	Spec struct {
		podSpec  `json:",inline"`
		Template struct {
			Spec podSpec `json:"spec"`
		} `json:"template"`
		JobTemplate struct {
			Spec struct {
				Template struct {
					Spec podSpec `json:"spec"`
				} `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
	Template struct {
		Spec podSpec `json:"spec"`
	} `json:"template"`
	Items []object `json:"items"`
}

type found map[string]struct{}

func (f found) add(image string) {
	if image != "" {
		f[image] = struct{}{}
	}
}

func (f found) pod(spec podSpec) {
	for _, list := range [][]container{spec.Containers, spec.InitContainers, spec.EphemeralContainers} {
		for _, each := range list {
			f.add(each.Image)
		}
	}
	for _, each := range spec.Volumes {
		if each.Image != nil {
			f.add(each.Image.Reference)
		}
	}
}

func (f found) object(o object) {
	f.pod(o.Spec.podSpec)
	f.pod(o.Spec.Template.Spec)
	f.pod(o.Spec.JobTemplate.Spec.Template.Spec)
	f.pod(o.Template.Spec)
	for _, item := range o.Items {
		f.object(item)
	}
}

// walk looks for containers and image volumes wherever they are.
func (f found) walk(value any) {
	switch v := value.(type) {
	case []any:
		for _, each := range v {
			f.walk(each)
		}
	case map[string]any:
		for _, key := range []string{"containers", "initContainers", "ephemeralContainers"} {
			list, _ := v[key].([]any)
			for _, each := range list {
				if item, ok := each.(map[string]any); ok {
					if image, ok := item["image"].(string); ok {
						f.add(image)
					}
				}
			}
		}
		list, _ := v["volumes"].([]any)
		for _, each := range list {
			if item, ok := each.(map[string]any); ok {
				if image, ok := item["image"].(map[string]any); ok {
					if reference, ok := image["reference"].(string); ok {
						f.add(reference)
					}
				}
			}
		}
		for _, each := range v {
			f.walk(each)
		}
	}
}

func (f found) json(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	f.walk(value)
	var typed object
	if err := json.Unmarshal(data, &typed); err == nil {
		f.object(typed)
	}
	return nil
}

// documents gives every document that a reader takes; what it took before it failed counts too.
func (f found) documents(next func() ([]byte, error)) error {
	for {
		data, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(bytes.TrimSpace(data)) > 0 {
			err = f.json(data)
		}
		if err != nil {
			return err
		}
	}
}

func guarded(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return read()
}

func reply(stream []byte) answer {
	var a answer
	images := found{}
	taken := false
	for name, read := range map[string]func(found) error{
		"kubectl": func(f found) error {
			decoder := k8s.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096)
			return f.documents(func() ([]byte, error) {
				var raw json.RawMessage
				err := decoder.Decode(&raw)
				return raw, err
			})
		},
		"strict": func(f found) error {
			reader := k8s.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
			return f.documents(func() ([]byte, error) {
				data, err := reader.Read()
				if err != nil {
					return nil, err
				}
				return yaml.YAMLToJSONStrict(data)
			})
		},
		"whole": func(f found) error {
			decoder := goyaml.NewDecoder(bytes.NewReader(stream))
			return f.documents(func() ([]byte, error) {
				var value any
				if err := decoder.Decode(&value); err != nil {
					return nil, err
				}
				again, err := goyaml.Marshal(value)
				if err != nil {
					return nil, err
				}
				return yaml.YAMLToJSON(again)
			})
		},
	} {
		f := found{}
		if err := guarded(func() error { return read(f) }); err != nil {
			a.Errors = append(a.Errors, name+": "+err.Error())
			if name != "kubectl" || len(f) == 0 {
				continue // kubectl applies what stands before the error
			}
		}
		taken = true
		for image := range f {
			images.add(image)
		}
	}
	if taken {
		a.Images = []string{}
		for image := range images {
			a.Images = append(a.Images, image)
		}
		slices.Sort(a.Images)
	}
	slices.Sort(a.Errors)
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
		if err := encoder.Encode(reply(frame)); err != nil {
			panic(err)
		}
		if err := out.Flush(); err != nil {
			panic(err)
		}
	}
}
