#!/usr/bin/env bash
# Runs the shared black-box scenarios, the keyless ones on the shared stack, four ways: alone, signing for cosign, verifying
# what cosign signed, and on a registry without the referrers API. Prints `N passed, N failed` last.
# TSIGN_SHARED: folder of the shared scenarios; PATH: the tools of tools.sh; STACK_ENV: the running stack's env file.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
shared=${TSIGN_SHARED:-$root/../shared}
[ -x "$shared/scenarios/run-scenarios" ] || {
  echo "no scenarios in $shared: set TSIGN_SHARED to the shared folder" >&2
  echo '0 passed, 1 failed'
  exit 1
}
tools=$(dirname "$(command -v crane)")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -f "${STACK_ENV:-}" ] || {
  echo 'no running stack for the keyless scenarios: set STACK_ENV to the file that `stack env` names' >&2
  echo '0 passed, 1 failed'
  exit 1
}

# The scenarios in which tsign differs deliberately.
python3 -c 'import json, sys; print("\n".join(d["scenario"] for d in json.load(open(sys.argv[1])) if "scenario" in d))' \
  "$root/fixtures/differences.json" >"$work/except"

passed=0 failed=0
run() { # NAME FLAGS...
  local name=$1 counts
  shift
  echo "== scenarios: $name"
  (cd "$shared/scenarios" && ./run-scenarios --tools "$tools" --env "$STACK_ENV" --strict -j 2 "$@" scenarios) >"$work/log" 2>&1
  grep -A 40 '^FAIL\|^skip' "$work/log"
  counts=$(tail -n 1 "$work/log")
  echo "$counts"
  case $counts in
    *' passed, '*) ;;
    *) cat "$work/log"; failed=$((failed + 1)); return ;;
  esac
  passed=$((passed + $(sed -E 's/^([0-9]+) passed.*/\1/' <<<"$counts")))
  failed=$((failed + $(sed -E 's/.* ([0-9]+) failed.*/\1/' <<<"$counts")))
  case $counts in *skipped*) failed=$((failed + $(sed -E 's/.* ([0-9]+) skipped.*/\1/' <<<"$counts"))) ;; esac
}

tsign=$root/bin/tsign
run 'tsign alone' --sign "$tsign" --except "$work/except"
run 'tsign signs, cosign verifies' --sign "$tsign" --verify cosign --except "$work/except"
run 'cosign signs, tsign verifies' --sign cosign --verify "$tsign" --except "$work/except"
run 'tsign alone, no referrers API' --sign "$tsign" --registry plain --except "$work/except"

echo "excused by docs/differences.md: $(grep -c . "$work/except") scenarios"
cat "$work/except"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
