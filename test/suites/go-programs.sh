# Sourced: builds programs of Go modules that `go install` refuses, into the folder $bin, each once.

# build NAME MODULE@VERSION PACKAGE [REPLACEMENT…]: replacements are for versions that the proxy does not serve
build() {
  local name=$1 module=$2 package=$3 work copy
  shift 3
  if [ -x "$bin/$name" ] && [ "$(cat "$bin/.$name.version" 2>/dev/null)" = "$module" ]; then return; fi
  echo "${0##*/}: building $name $module" >&2
  work=$(mktemp -d)
  copy=$(GOFLAGS='' go mod download -json "$module" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')
  cp -R "$copy" "$work/source"
  chmod -R u+w "$work/source"
  (
    cd "$work/source"
    for replacement; do go mod edit -replace="$replacement"; done
    GOFLAGS="${GOFLAGS:-} -mod=mod -buildvcs=false" go build -o "$work/$name" "$package"
  )
  mv "$work/$name" "$bin/$name"
  rm -rf "$work"
  echo "$module" >"$bin/.$name.version"
}

authn=github.com/google/go-containerregistry/pkg/authn
served=v0.0.0-20230919002926-dbcd01c402b2
build_policy_controller() { # NAME PACKAGE
  build "$1" github.com/sigstore/policy-controller@v0.15.1 "$2" \
    "$authn/k8schain=$authn/k8schain@$served" "$authn/kubernetes=$authn/kubernetes@$served"
}
build_kyverno() { build "$1" github.com/kyverno/kyverno@v1.19.1 "$2"; }
