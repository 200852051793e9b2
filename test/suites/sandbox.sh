#!/usr/bin/env bash
# The sandbox's Sigstore with the real clients: the shared stack's `prove` (every keyless flow of cosign 3) against the
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
  # 100 and above is not a refusal: a timeout, a signal, a missing command
  if [ $((status != 0)) = $want ] && [ $status -lt 100 ]; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name (exit $status)"
    tail -n 5 out.log | cut -c1-300
  fi
}

# What `prove` expects from the stack, with its names: tokens and logins come from the stack's script, which calls the
# issuer on the port in run/base. Two of the three registry names are the sandbox's registry without referrers.
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


me=alice@example.com
id=(--certificate-identity $me --certificate-oidc-issuer "$TSIGN_SANDBOX_ISSUER")
token() { "$tsign" sandbox token --email $me "$@"; }
echo hello >blob
echo '{"hello":"world"}' >pred
export COSIGN_PASSWORD=

# No flag names a service or a trusted root: TUF_ROOT, TUF_MIRROR and TUF_ROOT_JSON do.
t 'cosign, environment alone: sign-blob' cosign sign-blob --yes --identity-token "$(token)" --bundle plain blob
t 'cosign, environment alone: verify-blob' cosign verify-blob "${id[@]}" --bundle plain blob
t 'cosign 2 verifies it too' cosign-2 verify-blob --new-bundle-format --use-signed-timestamps "${id[@]}" --bundle plain blob
t 'another identity is refused' not cosign verify-blob --certificate-identity bob@example.com \
  --certificate-oidc-issuer "$TSIGN_SANDBOX_ISSUER" --bundle plain blob

# cosign 2: Fulcio and Rekor version 1, the old layout.
old=(--yes --fulcio-url "$TSIGN_SANDBOX_FULCIO" --rekor-url "$TSIGN_SANDBOX_REKOR" --oidc-issuer "$TSIGN_SANDBOX_ISSUER")
online=("${id[@]}" --rekor-url "$TSIGN_SANDBOX_REKOR")
img=$("$tsign" sandbox push old:v1)
t 'cosign 2 sign' cosign-2 sign "${old[@]}" --identity-token "$(token)" "$img"
t 'cosign 2 verify' cosign-2 verify "${online[@]}" "$img"
t 'cosign 3 verifies it' cosign verify --new-bundle-format=false "${online[@]}" "$img"
img=$("$tsign" sandbox push stamped:v1)
t 'cosign 2 sign with a timestamp (nonce and certReq)' cosign-2 sign "${old[@]}" --timestamp-server-url "$TSIGN_SANDBOX_TSA" --identity-token "$(token)" "$img"
t 'cosign 2 verify by the timestamp' cosign-2 verify "${online[@]}" --use-signed-timestamps "$img"
for entry in dsse intoto; do
  img=$("$tsign" sandbox push $entry:v1)
  t "cosign 2 attest, $entry" cosign-2 attest "${old[@]}" --rekor-entry-type $entry --identity-token "$(token)" --type custom --predicate pred "$img"
  t "cosign 2 verify-attestation, $entry" cosign-2 verify-attestation "${online[@]}" --type custom "$img"
  t "cosign 3 verify-attestation, $entry" cosign verify-attestation --new-bundle-format=false "${online[@]}" --type custom "$img"
done
t 'cosign 2 sign-blob' cosign-2 sign-blob "${old[@]}" --identity-token "$(token)" --output-signature old.sig --output-certificate old.pem --bundle old blob
t 'cosign 2 verify-blob, log asked' cosign-2 verify-blob "${online[@]}" --signature old.sig --certificate old.pem blob
t 'cosign 2 verify-blob, bundle' cosign-2 verify-blob "${id[@]}" --bundle old blob
t 'cosign 2 verify-blob, another blob' not cosign-2 verify-blob "${id[@]}" --bundle old pred
t 'an expired token, cosign 2' not cosign-2 sign-blob "${old[@]}" --identity-token "$(token --ttl=-1m)" --bundle no blob

# Every key that Fulcio accepts from cosign, in both logs; the user's own keys, with log entries and timestamps.
configs=("$TSIGN_SANDBOX_SIGNING_CONFIG" "$TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1" "$TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1_TSA")
for config in "${configs[@]}"; do
  name=$(basename "$config" .json)
  for algorithm in ecdsa-sha2-384-nistp384 ecdsa-sha2-512-nistp521 rsa-sign-pkcs1-2048-sha256 rsa-sign-pkcs1-4096-sha256; do
    t "$name: $algorithm" cosign sign-blob --yes --signing-algorithm $algorithm --identity-token "$(token)" --signing-config "$config" --bundle key blob
    t "$name: $algorithm verifies" cosign verify-blob "${id[@]}" --bundle key blob
  done
done
openssl genrsa -out rsa.pem 2048 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out p256.pem
for key in rsa p256; do # cosign's own Ed25519 and P-384 keys fail in cosign itself, after the log took them
  cosign import-key-pair --key $key.pem --output-key-prefix $key >/dev/null 2>&1
  for config in "${configs[@]}"; do
    name=$(basename "$config" .json)
    date +%N >$key.blob
    t "$name: $key key, sign-blob" cosign sign-blob --yes --key $key.key --signing-config "$config" --bundle $key.sig $key.blob
    t "$name: $key key, verify-blob" cosign verify-blob --key $key.pub --bundle $key.sig $key.blob
    t "$name: $key key, attest-blob" cosign attest-blob --yes --key $key.key --signing-config "$config" --type custom --predicate pred --bundle $key.att $key.blob
    t "$name: $key key, verify-blob-attestation" cosign verify-blob-attestation --key $key.pub --type custom --bundle $key.att $key.blob
  done
done

# openssl reads what the sandbox encodes.
root_pem() { awk '/BEGIN/{n++} n=='"$2" "$1"; }
root_pem "$TSIGN_SANDBOX_FULCIO_CHAIN" 1 >intermediate.pem
root_pem "$TSIGN_SANDBOX_FULCIO_CHAIN" 2 >root.pem
root_pem "$TSIGN_SANDBOX_TSA_CHAIN" 1 >tsa.pem
root_pem "$TSIGN_SANDBOX_TSA_CHAIN" 2 >tsa-root.pem
base64 -d <old.pem >leaf.pem
strict=(openssl verify -x509_strict -CAfile root.pem -untrusted intermediate.pem)
t 'openssl: the certificate' "${strict[@]}" leaf.pem
t 'openssl: the intermediate' openssl verify -x509_strict -CAfile root.pem intermediate.pem
t 'openssl: the timestamp certificate' openssl verify -x509_strict -CAfile tsa-root.pem -purpose timestampsign tsa.pem
for flags in '' -no_nonce -cert '-no_nonce -cert'; do
  # shellcheck disable=SC2086 # the flags are words
  openssl ts -query -data blob -sha256 $flags -out query.tsq 2>/dev/null
  curl -sS --fail -H 'content-type: application/timestamp-query' --data-binary @query.tsq -o reply.tsr "$TSIGN_SANDBOX_TSA"
  t "openssl: timestamp ${flags:-with a nonce}" openssl ts -verify -queryfile query.tsq -in reply.tsr -CAfile tsa-root.pem -untrusted tsa.pem
done
t 'openssl: the timestamp of another file' not openssl ts -verify -data pred -in reply.tsr -CAfile tsa-root.pem -untrusted tsa.pem

# Faults, with cosign.
fault() { "$tsign" sandbox fault --clear "$@"; }
sign=(cosign sign-blob --yes --bundle fault)
fault 'fulcio:status=503*1'
t 'Fulcio out of order once: cosign asks again' "${sign[@]}" --identity-token "$(token)" blob
fault fulcio:status=503
t 'Fulcio out of order' not "${sign[@]}" --identity-token "$(token)" blob
fault fulcio:bad-sct
t 'a bad SCT: signing does not look' "${sign[@]}" --identity-token "$(token)" blob
t 'a bad SCT: verifying does' not cosign verify-blob "${id[@]}" --bundle fault blob
for bad in bad-proof bad-checkpoint stale-checkpoint; do
  fault rekor2:$bad
  t "Rekor 2, $bad" not "${sign[@]}" --identity-token "$(token)" blob
done
fault tsa:wrong-imprint
t 'a timestamp of something else' not "${sign[@]}" --identity-token "$(token)" blob
"$tsign" sandbox fault --clear
t 'and all is well again' "${sign[@]}" --identity-token "$(token)" blob

# Signatures verify after a restart, and sandboxes with other clocks work.
again=("$tsign" sandbox exec --state)
# shellcheck disable=SC2016 # for the inner shell
flow='T=$("$0" sandbox token --email alice@example.com)
  for config in "$TSIGN_SANDBOX_SIGNING_CONFIG" "$TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1" "$TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1_TSA"; do
    trust="--trusted-root $TSIGN_SANDBOX_TRUSTED_ROOT"
    cosign sign-blob --yes --identity-token "$T" --signing-config "$config" $trust --bundle clock blob || exit 1
    cosign verify-blob $trust --certificate-identity alice@example.com --certificate-oidc-issuer "$TSIGN_SANDBOX_ISSUER" --bundle clock blob || exit 1
  done'
for clock in 2025-06-01T00:00:00Z -24h +1h; do
  t "clock $clock" "$tsign" sandbox exec --clock=$clock -- sh -c "$flow" "$tsign"
done
# shellcheck disable=SC2016
t 'before a restart' "${again[@]}" "$work/other" -- sh -c "$flow; "'cp clock before; echo "$TSIGN_SANDBOX_ISSUER" >issuer' "$tsign"
# shellcheck disable=SC2016
t 'after a restart' "${again[@]}" "$work/other" -- sh -c 'cosign verify-blob --certificate-identity alice@example.com \
  --certificate-oidc-issuer "$(cat issuer)" --bundle before blob && exec sh -c "$1" "$0"' "$tsign" "$flow"
t 'another state does not trust it' not "$tsign" sandbox exec -- sh -c 'cosign verify-blob --certificate-identity alice@example.com \
  --certificate-oidc-issuer "$(cat issuer)" --bundle before blob'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
