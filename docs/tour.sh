#!/bin/sh
# tsign's main job on a Sigstore and a registry of its own: run it with `tsign sandbox exec -- sh docs/tour.sh`.
set -eu

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m'); else bold='' dim='' plain=''; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
# show COMMAND...: prints it as a user would type it, then runs it
show() { printf '%s$ tsign %s%s\n' "$dim" "$*" "$plain"; tsign "$@" 2>&1 | sed 's/^/  /'; }
# refused COMMAND...: the same, for what must fail
refused() {
  printf '%s$ tsign %s%s\n' "$dim" "$*" "$plain"
  if tsign "$@" >out 2>&1; then echo "  this should have been refused" && exit 1; fi
  sed 's/^/  /' out
}
# tsign's own exit code, through the pipe of `show`
tsign() { command tsign "$@" || { echo "tsign $1 failed with $?" >>"$work/failed"; return 1; }; }

step '1. A small image, in a registry on this machine'
image=$(tsign sandbox push demo/app:v1)
echo "  $image"

step '2. Alice proves who she is, gets a certificate for minutes, signs, and has the signature logged and dated'
SIGSTORE_ID_TOKEN=$(tsign sandbox token --email alice@example.com)
export SIGSTORE_ID_TOKEN
show sign "$image"
unset SIGSTORE_ID_TOKEN

step '3. What is stored with the image now'
show tree "$image"
tsign download signature "$image" >bundle.json
show bundle inspect bundle.json

step '4. The signature verifies by identity: no key was kept anywhere'
alice="--certificate-identity alice@example.com --certificate-oidc-issuer $TSIGN_SANDBOX_ISSUER"
show verify $alice "$image"
[ ! -e failed ] || { cat failed; exit 1; }

step '5. Another identity is refused'
refused verify --certificate-identity mallory@example.com --certificate-oidc-issuer "$TSIGN_SANDBOX_ISSUER" "$image"

step '6. A changed image under the same tag is refused'
echo 'something else' >changed
tsign sandbox push demo/app:v1 changed >/dev/null
refused verify $alice "${image%@*}:v1"

printf '\n%sSigned by identity, verified, and refused twice, as it should be.%s\n' "$bold" "$plain"
