#!/bin/sh
# tsign's main job on a registry of its own: run it with `tsign sandbox exec -- sh docs/tour.sh`.
set -eu

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m'); else bold='' dim='' plain=''; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export COSIGN_PASSWORD=tour
offline='--use-signing-config=false --tlog-upload=false'

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

step '2. A key pair, and a signature beside the image'
show generate-key-pair
show sign --key cosign.key $offline "$image"

step '3. What is stored with the image now'
show tree "$image"

step '4. The signature verifies with the public key'
show verify --key cosign.pub --private-infrastructure "$image"
[ ! -e failed ] || { cat failed; exit 1; }

step '5. Another key is refused'
tsign generate-key-pair --output-key-prefix other 2>/dev/null
refused verify --key other.pub --private-infrastructure "$image"

step '6. A changed image under the same tag is refused'
echo 'something else' >changed
tsign sandbox push demo/app:v1 changed >/dev/null
refused verify --key cosign.pub --private-infrastructure "${image%@*}:v1"

printf '\n%sSigned, verified, and refused twice, as it should be.%s\n' "$bold" "$plain"
