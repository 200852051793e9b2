#!/usr/bin/env bash
# The sandbox's Sigstore under the real clients: the shared stack's `prove` (cosign 3 through every keyless flow) aimed at the
# sandbox, cosign 2 on the old layout, openssl on certificates and timestamps, restarts, clocks and faults.
# Prints `N passed, N failed` last. TSIGN_SHARED: folder of the shared material; PATH: the tools of tools.sh.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
shared=${TSIGN_SHARED:-$root/../shared}
tsign=$root/bin/tsign

if [ "${1:-}" != inside ]; then
  [ -x "$shared/stack/prove" ] || {
    echo "no stack/prove in $shared: set TSIGN_SHARED to the shared folder" >&2
    echo '0 passed, 1 failed'
    exit 1
  }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/home"
  export HOME_BEFORE=$HOME
  env HOME="$work/home" XDG_RUNTIME_DIR="$work" "$tsign" sandbox exec --state "$work/state" -- "$0" inside "$work"
  exit $?
fi

work=$2 passed=0 failed=0
cd "$work" || exit 1
t() { # name command...: it must succeed; "not" as the first word: it must fail
  local name=$1 want=0 status
  shift
  if [ "$1" = not ]; then want=1; shift; fi
  timeout 120 "$@" >out.log 2>&1 </dev/null
  status=$?
  # 100 and more is no refusal: a time-out, a signal, a missing command
  if [ $((status != 0)) = $want ] && [ $status -lt 100 ]; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name (exit $status)"
    tail -n 5 out.log | cut -c1-300
  fi
}

# What `prove` expects of the stack, by its names: tokens and logins come from the stack's own script, which asks the
# issuer on the port in run/base. The sandbox stands in for one registry without referrers by two of the three names.
mkdir -p "$work/stack/run" "$work/browser"
echo "${TSIGN_SANDBOX_URL##*:}" >"$work/stack/run/base"
printf '#!/bin/sh\nSTACK_HOME=%q %q login "$1" >%q 2>&1 &\n' "$work/stack" "$shared/stack/stack" "$work/browser.log" >"$work/browser/xdg-open"
chmod +x "$work/browser/xdg-open"
stack=(
  STACK_HOME="$work/stack" STACK_TIER=full STACK_CLIENT_ID=sigstore
  STACK_ISSUER="$TSIGN_SANDBOX_ISSUER" STACK_CI_ISSUER="$TSIGN_SANDBOX_CI_ISSUER" STACK_GHA_TOKEN_URL="$TSIGN_SANDBOX_GITHUB_TOKEN_URL"
  STACK_FULCIO="$TSIGN_SANDBOX_FULCIO" STACK_CT="$TSIGN_SANDBOX_CT" STACK_TSA="$TSIGN_SANDBOX_TSA"
  STACK_REKOR1="$TSIGN_SANDBOX_REKOR" STACK_REKOR2="$TSIGN_SANDBOX_REKOR2"
  STACK_TUF="$TUF_MIRROR" STACK_TUF_ROOT="$TUF_ROOT_JSON"
  STACK_TRUSTED_ROOT="$TSIGN_SANDBOX_TRUSTED_ROOT" STACK_SIGNING_CONFIG="$TSIGN_SANDBOX_SIGNING_CONFIG"
  STACK_SIGNING_CONFIG_REKOR1="$TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1"
  STACK_FULCIO_CHAIN="$TSIGN_SANDBOX_FULCIO_CHAIN" STACK_TSA_CHAIN="$TSIGN_SANDBOX_TSA_CHAIN"
  STACK_CT_PUB="$TSIGN_SANDBOX_CT_KEY" STACK_REKOR1_PUB="$TSIGN_SANDBOX_REKOR_KEY" STACK_REKOR2_PUB="$TSIGN_SANDBOX_REKOR2_KEY"
  STACK_REGISTRY="$TSIGN_SANDBOX" STACK_REGISTRY_V2="$TSIGN_SANDBOX_REGISTRY_PLAIN" STACK_REGISTRY_GGCR="$TSIGN_SANDBOX_REGISTRY_PLAIN"
  STACK_REGISTRY_BASIC="$TSIGN_SANDBOX_REGISTRY_BASIC" STACK_REGISTRY_TOKEN="$TSIGN_SANDBOX_REGISTRY_BEARER"
  STACK_REGISTRY_USER="$TSIGN_SANDBOX_REGISTRY_USER" STACK_REGISTRY_PASSWORD="$TSIGN_SANDBOX_REGISTRY_PASSWORD"
  STACK_BROWSER_PATH="$work/browser"
  STACK_COSIGN="$(command -v cosign)" STACK_COSIGN2="$(command -v cosign-2)" STACK_CRANE="$(command -v crane)"
)
env -u TUF_ROOT -u TUF_MIRROR -u TUF_ROOT_JSON "${stack[@]}" "$shared/stack/prove" >prove.log 2>&1
grep -v '^ok' prove.log
proven=$(sed -nE 's/^([0-9]+) ok, ([0-9]+) failed$/\1 \2/p' prove.log)
[ -n "$proven" ] || { cat prove.log; proven='0 1'; }
passed=$((passed + ${proven% *})) failed=$((failed + ${proven#* }))

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
