package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfine runs this test again as a child that confines itself: what it refuses cannot be undone in the same process.
func TestConfine(t *testing.T) {
	if os.Getenv("TSIGN_CONFINED") == "" {
		child := exec.Command(os.Args[0], "-test.run=TestConfine", "-test.v")
		child.Env = append(os.Environ(), "TSIGN_CONFINED="+t.TempDir())
		output, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return
	}
	folder := os.Getenv("TSIGN_CONFINED")
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	confine(512 << 20)
	refused := map[string]func() error{
		"create":  func() error { return os.WriteFile(filepath.Join(folder, "new"), nil, 0o600) },
		"write":   func() error { _, err := os.OpenFile(file, os.O_WRONLY, 0); return err },
		"append":  func() error { _, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND, 0); return err },
		"remove":  func() error { return os.Remove(file) },
		"rename":  func() error { return os.Rename(file, file+"2") },
		"link":    func() error { return os.Link(file, file+"2") },
		"symlink": func() error { return os.Symlink(file, file+"2") },
		"mkdir":   func() error { return os.Mkdir(filepath.Join(folder, "new"), 0o700) },
		"chmod":   func() error { return os.Chmod(file, 0o644) },
		"run":     func() error { return exec.Command("/bin/true").Run() },
	}
	for name, attempt := range refused {
		done := make(chan error)
		go func() { done <- attempt() }() // on whatever thread
		if err := <-done; err == nil || !strings.Contains(err.Error(), "not permitted") && !os.IsPermission(err) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "before" {
		t.Errorf("read: got %q, %v", text, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("network: %v", err)
	}
	_ = listener.Close()
}
