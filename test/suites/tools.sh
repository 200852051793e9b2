#!/usr/bin/env bash
# Installs what the heavy suites need into a folder outside the clone: the real cosign 3 and 2, crane, oras and the test
# registry, each built once; Debian's docker-registry; jq, openssl, curl and pip when the machine lacks them.
# Prints the folder to put on the PATH.
set -euo pipefail

tools=${TSIGN_TOOLS:-$HOME/.cache/tsign-tools}
bin=$tools/bin
shared=${TSIGN_SHARED:?TSIGN_SHARED must name the folder of the shared scenarios}
mkdir -p "$bin"

say() { echo "tools: $*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt_updated=
apt_install() {
  [ -n "$apt_updated" ] || { as_root apt-get update >/dev/null; apt_updated=yes; }
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null
}

# go_tool NAME PACKAGE VERSION: go install into a folder of its own, then moved: two versions may share a program's name
go_tool() {
  local name=$1 package=$2 version=$3 work
  if [ -x "$bin/$name" ] && [ "$(cat "$bin/.$name.version" 2>/dev/null)" = "$package@$version" ]; then return; fi
  say "building $name $version"
  work=$(mktemp -d)
  build() { (cd "$work" && GOFLAGS='' GOBIN=$work go install -ldflags='-s -w' "$package@$version"); }
  build || build # a download may break off
  mv "$work/${package##*/}" "$bin/$name"
  rm -rf "$work"
  echo "$package@$version" >"$bin/.$name.version"
}

for command in jq openssl curl; do
  command -v "$command" >/dev/null || { say "installing $command"; apt_install "$command"; }
done
python3 -m pip --version >/dev/null 2>&1 || { say 'installing pip'; apt_install python3-pip; }
go_tool crane github.com/google/go-containerregistry/cmd/crane v0.22.1
go_tool oras oras.land/oras/cmd/oras v1.3.6
go_tool cosign github.com/sigstore/cosign/v3/cmd/cosign v3.1.2
go_tool cosign-2 github.com/sigstore/cosign/v2/cmd/cosign v2.6.4

stamp=$(cat "$shared"/scenarios/treg/main.go "$shared"/scenarios/treg/go.* | sha256sum | cut -c1-12)
if [ ! -x "$bin/treg" ] || [ "$(cat "$bin/.treg.version" 2>/dev/null)" != "$stamp" ]; then
  say 'building the test registry'
  (cd "$shared/scenarios/treg" && go build -o "$bin/treg" .)
  echo "$stamp" >"$bin/.treg.version"
fi

if ! command -v docker-registry >/dev/null && [ ! -x "$bin/docker-registry" ]; then
  say 'unpacking docker-registry'
  work=$(mktemp -d)
  chmod 755 "$work" # apt downloads as a user of its own
  (cd "$work" && { apt-get download docker-registry || { as_root apt-get update && apt-get download docker-registry; }; }) >/dev/null 2>&1
  dpkg -x "$work"/docker-registry_*.deb "$work/unpacked"
  cp "$work/unpacked/usr/bin/docker-registry" "$bin/docker-registry"
  rm -rf "$work"
fi
echo "$bin"
