#!/usr/bin/env bash
# tsign on the shared stack, a real Sigstore: every flow of the stack's `prove`, the legacy forms between tsign, cosign 3 and 2
# in both directions, every kind of key with a log, and verification in an empty network namespace.
# Prints `N passed, N failed` last. TSIGN_SHARED: the shared folder; STACK_ENV: the running stack's env file.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
shared=${TSIGN_SHARED:-$root/../shared}
[ -f "${STACK_ENV:-}" ] || {
  echo 'no running stack: set STACK_ENV to the file that `stack env` names' >&2
  echo '0 passed, 1 failed'
  exit 1
}
. "$STACK_ENV"
cosign=$STACK_COSIGN cosign2=$STACK_COSIGN2 tsign=$root/bin/tsign stack=$shared/stack/stack
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work COSIGN_PASSWORD=''
passed=0 failed=0

ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAIL $1"; tail -n 4 log | cut -c1-300; }
yes() { local name=$1; shift; if timeout 120 "$@" >log 2>&1 </dev/null; then ok; else bad "$name"; fi; }
no() { # a refusal is exit 1 to 99: no crash, no time-out
  local name=$1 status; shift
  timeout 120 "$@" >log 2>&1 </dev/null; status=$?
  if [ $status -gt 0 ] && [ $status -lt 100 ]; then ok; else bad "$name (exit $status)"; fi
}
token() { "$stack" token --email "${1:-alice@example.com}"; }
push() { "$STACK_CRANE" append --new_layer layer.tar -t "$1" >/dev/null 2>&1; echo "${1%:*}@$("$STACK_CRANE" digest "$1")"; }

echo '== prove, with tsign in the place of cosign'
proof=$(STACK_COSIGN=$tsign "$shared/stack/prove" 2>&1)
grep -A 5 '^FAIL' <<<"$proof"
if [[ $(tail -n 1 <<<"$proof") =~ ^([0-9]+)\ ok,\ ([0-9]+)\ failed ]]; then
  passed=$((passed + BASH_REMATCH[1]))
  failed=$((failed + BASH_REMATCH[2]))
else
  echo "$proof"
  failed=$((failed + 1))
fi

echo hello >blob
echo altered >altered
tar c blob >layer.tar
who=(--certificate-identity alice@example.com --certificate-oidc-issuer "$STACK_ISSUER")
mallory=(--certificate-identity mallory@example.com --certificate-oidc-issuer "$STACK_ISSUER")
trust=(--trusted-root "$STACK_TRUSTED_ROOT")
files=(SIGSTORE_ROOT_FILE="$STACK_FULCIO_CHAIN" SIGSTORE_CT_LOG_PUBLIC_KEY_FILE="$STACK_CT_PUB"
  SIGSTORE_REKOR_PUBLIC_KEY="$STACK_REKOR1_PUB" SIGSTORE_TSA_CERTIFICATE_FILE="$STACK_TSA_CHAIN")
services=(--fulcio-url "$STACK_FULCIO" --rekor-url "$STACK_REKOR1" --oidc-issuer "$STACK_ISSUER")
old() { [ "$1" = "$cosign2" ] || echo --new-bundle-format=false; }
unconfigured() { [ "$1" = "$cosign2" ] || echo --use-signing-config=false; }

echo '== bundles between tsign and cosign 3'
n=0
for config in "$STACK_SIGNING_CONFIG" "$STACK_SIGNING_CONFIG_REKOR1"; do
  for signer in "$tsign" "$cosign"; do
    n=$((n + 1))
    image=$(push "$STACK_REGISTRY/new$n-$$:1")
    name=${signer##*/}
    yes "$name signs an image" "$signer" sign --yes --identity-token "$(token)" --signing-config "$config" "${trust[@]}" "$image"
    yes "$name signs a blob" "$signer" sign-blob --yes --identity-token "$(token)" --signing-config "$config" "${trust[@]}" --bundle "$n.json" blob
    for verifier in "$tsign" "$cosign"; do
      yes "$name to ${verifier##*/}: image" "$verifier" verify "${trust[@]}" "${who[@]}" "$image"
      no "$name to ${verifier##*/}: image, another identity" "$verifier" verify "${trust[@]}" "${mallory[@]}" "$image"
      yes "$name to ${verifier##*/}: blob" "$verifier" verify-blob "${trust[@]}" "${who[@]}" --bundle "$n.json" blob
      no "$name to ${verifier##*/}: altered blob" "$verifier" verify-blob "${trust[@]}" "${who[@]}" --bundle "$n.json" altered
    done
  done
done

echo '== legacy forms between tsign, cosign 3 and cosign 2, with and without a timestamp'
for signer in "$tsign" "$cosign" "$cosign2"; do
  for stamped in '' yes; do
    n=$((n + 1))
    image=$(push "$STACK_REGISTRY/old$n-$$:1")
    name=${signer##*/}${stamped:+, timestamped}
    stamp=() demand=()
    into=(--bundle l.b --output-certificate l.crt --output-signature l.sig)
    [ -z "$stamped" ] || { stamp=(--timestamp-server-url "$STACK_TSA"); demand=(--use-signed-timestamps); into+=(--rfc3161-timestamp l.ts); }
    yes "$name signs an image" env "${files[@]}" "$signer" sign --yes $(old "$signer") $(unconfigured "$signer") "${services[@]}" "${stamp[@]}" --identity-token "$(token)" "$image"
    rm -f l.*
    yes "$name signs a blob" env "${files[@]}" "$signer" sign-blob --yes $(old "$signer") $(unconfigured "$signer") "${services[@]}" "${stamp[@]}" --identity-token "$(token)" "${into[@]}" blob
    for verifier in "$tsign" "$cosign" "$cosign2"; do
      legacy=(env "${files[@]}" "$verifier")
      way="$name to ${verifier##*/}"
      yes "$way: image" "${legacy[@]}" verify $(old "$verifier") --rekor-url "$STACK_REKOR1" "${who[@]}" "${demand[@]}" "$image"
      no "$way: image, another identity" "${legacy[@]}" verify $(old "$verifier") --rekor-url "$STACK_REKOR1" "${mallory[@]}" "$image"
      blob=("${legacy[@]}" verify-blob $(old "$verifier") --rekor-url "$STACK_REKOR1" "${who[@]}")
      yes "$way: blob" "${blob[@]}" --bundle l.b blob
      no "$way: altered blob" "${blob[@]}" --bundle l.b altered
      yes "$way: blob, the log asked" "${blob[@]}" --certificate l.crt --signature l.sig blob
      no "$way: altered blob, the log asked" "${blob[@]}" --certificate l.crt --signature l.sig altered
      [ -z "$stamped" ] || yes "$way: blob and its timestamp" "${blob[@]}" --bundle l.b --rfc3161-timestamp l.ts "${demand[@]}" blob
    done
  done
done

echo '== attestations of every type, in both forms'
slsa='"buildType": "https://ci.example/make", "builder": {"id": "https://ci.example"}'
day=2026-01-02T03:04:05Z
declare -A predicates=(
  [spdx]='SPDXVersion: SPDX-2.3'
  [custom]='{"tested": true}' [slsaprovenance]="{$slsa}" [slsaprovenance02]="{$slsa}"
  [slsaprovenance1]='{"buildDefinition": {"buildType": "https://ci.example/make", "externalParameters": {"ref": "main"}}, "runDetails": {"builder": {"id": "https://ci.example"}}}'
  [link]='{"_type": "link", "name": "build", "command": ["make"], "materials": {}, "products": {}, "byproducts": {}, "environment": {}}'
  [spdxjson]='{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app", "packages": []}'
  [cyclonedx]='{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}'
  [vuln]="{\"invocation\": {\"uri\": \"https://ci.example/1\"}, \"scanner\": {\"uri\": \"https://scanner.example\", \"version\": \"1\", \"db\": {}, \"result\": {}}, \"metadata\": {\"scanStartedOn\": \"$day\", \"scanFinishedOn\": \"$day\"}}"
  [openvex]="{\"@context\": \"https://openvex.dev/ns/v0.2.0\", \"@id\": \"https://ci.example/vex\", \"author\": \"ci\", \"timestamp\": \"$day\", \"version\": 1, \"statements\": []}"
  [https://ci.example/type]='{"any": ["thing"]}'
)
# cosign 3 cannot read its own attestation of an SPDX document in tag-value form, which is not JSON (docs/differences.md); with
# a trusted root it verifies its new bundle, and therefore cannot make one either.
reads() { if [ "$type" = spdx ] && [ "$verifier" = "$cosign" ]; then no "$@"; else yes "$@"; fi; }
for type in "${!predicates[@]}"; do
  echo "${predicates[$type]}" >predicate.json
  about=(--type "$type" --predicate predicate.json)
  for config in "$STACK_SIGNING_CONFIG" "$STACK_SIGNING_CONFIG_REKOR1"; do
    for signer in "$tsign" "$cosign"; do
      [ "$type:$signer" != "spdx:$cosign" ] || continue
      n=$((n + 1))
      image=$(push "$STACK_REGISTRY/att$n-$$:1")
      yes "${signer##*/} attests $type" "$signer" attest --yes --identity-token "$(token)" --signing-config "$config" "${trust[@]}" "${about[@]}" "$image"
      for verifier in "$tsign" "$cosign"; do
        way="$type, ${signer##*/} to ${verifier##*/}"
        reads "$way" "$verifier" verify-attestation "${trust[@]}" "${who[@]}" --type "$type" "$image"
        no "$way: another identity" "$verifier" verify-attestation "${trust[@]}" "${mallory[@]}" --type "$type" "$image"
      done
    done
  done
  for signer in "$tsign" "$cosign" "$cosign2"; do
    n=$((n + 1))
    image=$(push "$STACK_REGISTRY/att$n-$$:1")
    yes "${signer##*/} attests $type, legacy" env "${files[@]}" "$signer" attest --yes $(old "$signer") $(unconfigured "$signer") "${services[@]}" --identity-token "$(token)" "${about[@]}" "$image"
    for verifier in "$tsign" "$cosign" "$cosign2"; do
      way="$type, ${signer##*/} to ${verifier##*/}, legacy"
      legacy=(env "${files[@]}" "$verifier" verify-attestation $(old "$verifier") --rekor-url "$STACK_REKOR1" --type "$type")
      reads "$way" "${legacy[@]}" "${who[@]}" "$image"
      no "$way: another identity" "${legacy[@]}" "${mallory[@]}" "$image"
    done
  done
done

echo '== attestations logged as whole envelopes, as cosign 1 did'
n=$((n + 1))
image=$(push "$STACK_REGISTRY/att$n-$$:1")
yes 'cosign 2 attests, logged as intoto' env "${files[@]}" "$cosign2" attest --yes --rekor-entry-type intoto "${services[@]}" --identity-token "$(token)" --type custom --predicate predicate.json "$image"
legacy=(env "${files[@]}" "$tsign" verify-attestation --type custom)
yes 'tsign verifies it' "${legacy[@]}" "${who[@]}" "$image"
no 'another identity' "${legacy[@]}" "${mallory[@]}" "$image"

echo '== both forms from one signing'
n=$((n + 1))
image=$(push "$STACK_REGISTRY/both$n-$$:1")
both=(--format both --yes --signing-config "$STACK_SIGNING_CONFIG_REKOR1" "${trust[@]}")
echo '{"tested": true}' >predicate.json
yes 'signs an image' "$tsign" sign "${both[@]}" --identity-token "$(token)" "$image"
yes 'attests it' "$tsign" attest "${both[@]}" --identity-token "$(token)" --predicate predicate.json "$image"
yes 'signs a blob' "$tsign" sign-blob "${both[@]}" --identity-token "$(token)" --bundle both.json --output-signature both.sig --output-certificate both.crt blob
no 'the legacy form cannot hold an entry of Rekor v2' "$tsign" sign --format both --yes --identity-token "$(token)" --signing-config "$STACK_SIGNING_CONFIG" "${trust[@]}" "$image"
for identity in who mallory; do
  declare -n by=$identity
  check=yes
  [ "$identity" = who ] || check=no
  for verifier in "$tsign" "$cosign"; do
    $check "${verifier##*/}, the bundle: image, $identity" "$verifier" verify "${trust[@]}" "${by[@]}" "$image"
    $check "${verifier##*/}, the bundle: attestation, $identity" "$verifier" verify-attestation "${trust[@]}" "${by[@]}" "$image"
    $check "${verifier##*/}, the bundle: blob, $identity" "$verifier" verify-blob "${trust[@]}" "${by[@]}" --bundle both.json blob
  done
  for verifier in "$tsign" "$cosign" "$cosign2"; do
    legacy=(env "${files[@]}" "$verifier")
    form=(--new-bundle-format=false --rekor-url "$STACK_REKOR1")
    [ "$verifier" != "$cosign2" ] || form=("${trust[@]}") # cosign 2.6 prefers bundles where it sees any
    $check "${verifier##*/}, legacy: image, $identity" "${legacy[@]}" verify "${form[@]}" "${by[@]}" "$image"
    $check "${verifier##*/}, legacy: attestation, $identity" "${legacy[@]}" verify-attestation "${form[@]}" "${by[@]}" "$image"
    $check "${verifier##*/}, legacy: blob, $identity" "${legacy[@]}" verify-blob $(old "$verifier") --rekor-url "$STACK_REKOR1" "${by[@]}" --certificate both.crt --signature both.sig blob
  done
done

echo '== algorithms of keyless keys'
for algorithm in ecdsa-sha2-384-nistp384 ecdsa-sha2-512-nistp521 rsa-sign-pkcs1-2048-sha256 rsa-sign-pkcs1-4096-sha256; do
  for config in "$STACK_SIGNING_CONFIG" "$STACK_SIGNING_CONFIG_REKOR1"; do
    yes "$algorithm" "$tsign" sign-blob --yes --signing-algorithm "$algorithm" --identity-token "$(token)" --signing-config "$config" "${trust[@]}" --bundle a.json blob
    for verifier in "$tsign" "$cosign"; do
      yes "$algorithm to ${verifier##*/}" "$verifier" verify-blob "${trust[@]}" "${who[@]}" --bundle a.json blob
    done
  done
done

echo '== one TUF cache for both programs, and without the network'
export TUF_ROOT=$work/tuf
yes 'tsign initializes' "$tsign" initialize --mirror "$STACK_TUF" --root "$STACK_TUF_ROOT"
for verifier in "$tsign" "$cosign"; do yes "${verifier##*/} verifies" "$verifier" verify-blob "${who[@]}" --bundle 1.json blob; done
rm -rf "$TUF_ROOT"
yes 'cosign initializes' "$cosign" initialize --mirror "$STACK_TUF" --root "$STACK_TUF_ROOT"
for verifier in "$tsign" "$cosign"; do yes "${verifier##*/} verifies" "$verifier" verify-blob "${who[@]}" --bundle 1.json blob; done
if unshare -rn true 2>/dev/null; then
  yes 'without network: trusted root' unshare -rn "$tsign" verify-blob "${trust[@]}" "${who[@]}" --bundle 1.json blob
  no 'without network: altered' unshare -rn "$tsign" verify-blob "${trust[@]}" "${who[@]}" --bundle 1.json altered
  yes 'without network: the TUF cache' unshare -rn "$tsign" verify-blob "${who[@]}" --bundle 1.json blob
else
  echo 'FAIL no network namespace can be made here'
  failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
