package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// shownMax limits the bytes of a value that are shown.
const shownMax = 200

// decode reads JSON and keeps its numbers as they are written.
func decode(statement []byte) (any, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(statement))
	decoder.UseNumber()
	err := decoder.Decode(&value)
	return value, err
}

// show returns a value as JSON on one line, truncated if it is long.
func show(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "a value that cannot be shown"
	}
	return cut(strings.TrimSpace(out.String()))
}

func cut(text string) string {
	if len(text) <= shownMax {
		return text
	}
	return strings.ToValidUTF8(text[:shownMax], "") + "…"
}

// line joins lines into one.
func line(text string) string {
	return strings.Join(strings.Fields(text), " ")
}

// sorted sorts reasons and removes duplicates.
func sorted(reasons []string) []string {
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// distinct removes files that were named before.
func distinct(files []source) []source {
	var all []source
	known := map[string]bool{}
	for _, file := range files {
		if path := filepath.Clean(file.Path); !known[path] {
			known[path] = true
			all = append(all, file)
		}
	}
	return all
}
