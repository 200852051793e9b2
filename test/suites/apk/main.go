// Installs a package of Alpine into a root, with Chainguard's implementation of apk: the files, and what the database of installed
// packages says of it. Its dependencies are not looked up. Usage: program FILE ROOT ARCHITECTURE. Prints the installed packages.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/chainguard-dev/go-apk/pkg/apk"
	"github.com/chainguard-dev/go-apk/pkg/fs"
)

type file struct{ path string }

func (f file) URL() string            { return f.path }
func (f file) PackageName() string    { return f.path }
func (f file) ChecksumString() string { return "" }

func install(path, folder, architecture string) error {
	ctx := context.Background()
	root, err := apk.New(apk.WithFS(fs.DirFS(folder)), apk.WithArch(architecture), apk.WithIgnoreMknodErrors(true))
	if err != nil {
		return err
	}
	if err := root.InitDB(ctx); err != nil {
		return err
	}
	if err := root.InstallPackages(ctx, nil, []apk.InstallablePackage{file{path}}); err != nil {
		return err
	}
	installed, err := root.GetInstalled()
	if err != nil {
		return err
	}
	for _, each := range installed {
		fmt.Println(each.Name, each.Version, each.Arch, strings.Join(each.Dependencies, " "))
	}
	return nil
}

func main() {
	if err := install(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
