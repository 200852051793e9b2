//go:build !linux

package main

// confine does nothing here: as WebAssembly the engine cannot write or start anything (src/policy/engine.ts starts it so), and
// other systems have no call for it.
func confine(_ uint64) {}
