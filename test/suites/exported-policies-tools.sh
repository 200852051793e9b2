#!/usr/bin/env bash
# Builds policy-controller's policy-tester and Kyverno's command line from the Go proxy, into a folder outside the clone:
# exported-policies-tools.sh [policy-tester] [kyverno]. They take 5 and 11 minutes of a processor; GOMAXPROCS and nice apply.
set -euo pipefail

bin=${TSIGN_TOOLS:-$HOME/.cache/tsign-tools}/exported-policies
mkdir -p "$bin"

# build NAME MODULE@VERSION PACKAGE [REPLACEMENT…]: replacements are for versions that the proxy does not serve
build() {
  local name=$1 module=$2 package=$3 work copy
  shift 3
  if [ -x "$bin/$name" ] && [ "$(cat "$bin/.$name.version" 2>/dev/null)" = "$module" ]; then return; fi
  echo "exported-policies-tools: building $name $module" >&2
  work=$(mktemp -d)
  copy=$(GOFLAGS='' go mod download -json "$module" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')
  cp -R "$copy" "$work/source"
  chmod -R u+w "$work/source"
  (
    cd "$work/source"
    for replacement; do go mod edit -replace="$replacement"; done
    GOFLAGS='-mod=mod -buildvcs=false' go build -o "$work/$name" "$package"
  )
  mv "$work/$name" "$bin/$name"
  rm -rf "$work"
  echo "$module" >"$bin/.$name.version"
}

authn=github.com/google/go-containerregistry/pkg/authn
served=v0.0.0-20230919002926-dbcd01c402b2
for name in "${@:-policy-tester}"; do
  case $name in
    policy-tester)
      build "$name" github.com/sigstore/policy-controller@v0.15.1 ./cmd/tester \
        "$authn/k8schain=$authn/k8schain@$served" "$authn/kubernetes=$authn/kubernetes@$served" ;;
    kyverno) build "$name" github.com/kyverno/kyverno@v1.19.1 ./cmd/cli/kubectl-kyverno ;;
    *) echo "exported-policies-tools: unknown program $name" >&2; exit 1 ;;
  esac
done
