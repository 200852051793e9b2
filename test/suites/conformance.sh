#!/usr/bin/env bash
# The shared bundle conformance cases, official and stricter ones, each by path and by digest, in an empty network namespace.
# Prints `N passed, N failed` last. TSIGN_SHARED: the shared folder.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
shared=${TSIGN_SHARED:-$root/../shared}
cd "$shared/conformance" 2>/dev/null || {
  echo "no conformance cases in $shared: set TSIGN_SHARED to the shared folder" >&2
  echo '0 passed, 1 failed'
  exit 1
}
export COSIGN=$root/bin/tsign

passed=0 failed=0
for cases in cases extra; do
  echo "== conformance: $cases"
  log=$(./run-conformance --client "$PWD/cosign-client" --cases "$cases" 2>&1)
  closing=$(tail -n 1 <<<"$log")
  grep -v ' ok  *ok$' <<<"$log"
  if [[ $closing =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
  else
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
