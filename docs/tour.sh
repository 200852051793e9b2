#!/bin/sh
# Shows signing and verifying on a local Sigstore and registry: run it with `tsign sandbox exec -- sh docs/tour.sh`.
set -eu

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m'); else bold='' dim='' plain=''; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
# show COMMAND...: prints the command, then runs it
show() { printf '%s$ tsign %s%s\n' "$dim" "$*" "$plain"; tsign "$@" 2>&1 | sed 's/^/  /'; }
# refused COMMAND...: the same for a command that must fail
refused() {
  printf '%s$ tsign %s%s\n' "$dim" "$*" "$plain"
  if tsign "$@" >out 2>&1; then echo "  this should have been refused" && exit 1; fi
  sed 's/^/  /' out
}
# Records failures, because the pipe of `show` hides the exit code
tsign() { command tsign "$@" || { echo "tsign $1 failed with $?" >>"$work/failed"; return 1; }; }

step '1. Push a small image to a local registry'
image=$(tsign sandbox push demo/app:v1)
echo "  $image"

step '2. Sign as Alice, with a short-lived certificate; the signature is logged and timestamped'
SIGSTORE_ID_TOKEN=$(tsign sandbox token --email alice@example.com)
export SIGSTORE_ID_TOKEN
show sign "$image"
unset SIGSTORE_ID_TOKEN

step '3. Show what is stored with the image'
show tree "$image"
tsign download signature "$image" >bundle.json
show bundle inspect bundle.json

step '4. Verify by identity, without a key'
alice="--certificate-identity alice@example.com --certificate-oidc-issuer $TSIGN_SANDBOX_ISSUER"
show verify $alice "$image"
[ ! -e failed ] || { cat failed; exit 1; }

step '5. Verify for another identity: refused'
refused verify --certificate-identity mallory@example.com --certificate-oidc-issuer "$TSIGN_SANDBOX_ISSUER" "$image"

step '6. Verify a changed image under the same tag: refused'
echo 'something else' >changed
tsign sandbox push demo/app:v1 changed >/dev/null
refused verify $alice "${image%@*}:v1"

printf '\n%sSigned and verified by identity, and refused twice, as expected.%s\n' "$bold" "$plain"
