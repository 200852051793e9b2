#!/usr/bin/env bash
# Builds admission controllers from the Go proxy, with the manifests of their modules, into a folder outside the clone:
# controllers-tools.sh [policy-controller] [gatekeeper] [kyverno]. GOFLAGS, GOMAXPROCS and nice apply.
set -euo pipefail

bin=${TSIGN_TOOLS:-$HOME/.cache/tsign-tools}/controllers
mkdir -p "$bin"
. "$(dirname "$0")/go-programs.sh"

# manifests NAME FILE…: copies files of the program's module to $bin/NAME-manifests
manifests() {
  local name=$1 module copy
  shift
  module=$(cat "$bin/.$name.version")
  [ "$(cat "$bin/$name-manifests/.version" 2>/dev/null)" != "$module" ] || return 0
  copy=$(GOFLAGS='' go mod download -json "$module" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')
  mkdir -p "$bin/$name-manifests"
  for file; do cp -R "$copy/$file" "$bin/$name-manifests/"; done
  chmod -R u+w "$bin/$name-manifests"
  echo "$module" >"$bin/$name-manifests/.version"
}

for name in "${@:-policy-controller}"; do
  case $name in
    policy-controller)
      build_policy_controller "$name" ./cmd/webhook
      manifests "$name" config ;;
    gatekeeper)
      build "$name" github.com/open-policy-agent/gatekeeper/v3@v3.23.1 .
      manifests "$name" deploy/gatekeeper.yaml ;;
    kyverno)
      build_kyverno "$name" ./cmd/kyverno
      manifests "$name" config ;;
    *) echo "controllers-tools: unknown program $name" >&2; exit 1 ;;
  esac
done
