//go:build !linux

package main

// confine does nothing: as WebAssembly the engine has no rights to lose (src/policy/engine.ts starts it so), and on macOS and
// Windows the native one relies on the policy languages, which can neither write files nor start programs.
func confine(_ uint64) {}
