#!/usr/bin/env bash
# Types the README's two lines, each as the first command in a fresh clone, on a PATH with the machine's own Node and
# nothing of this project. The second runs all tests, which count here. Prints `N passed, N failed` last.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
ok() { echo "ok   $1"; passed=$((passed + 1)); }
no() { echo "FAIL $1"; failed=$((failed + 1)); [ -z "${2:-}" ] || tail -n 40 "$2"; }

# Without node_modules/.bin, which npm adds when it runs a script.
path=$(tr ':' '\n' <<<"$PATH" | grep -v node_modules | paste -sd:)

mapfile -t lines < <(awk '/^```/ { inside++; next } inside == 1' "$root/README.md")
if [ "${#lines[@]}" = 2 ]; then ok "the README's first block has two lines"; else no "the README's first block has ${#lines[@]} lines"; fi

type_line() { # NUMBER LINE
  git clone -q "$root" "$work/clone$1" && (cd "$work/clone$1" && env -i HOME="$HOME" PATH="$path" LANG=C.UTF-8 bash -c "$2" </dev/null >"$work/log$1" 2>&1)
}

if type_line 1 "${lines[0]}"; then ok "line 1: ${lines[0]}"; else no "line 1: ${lines[0]}" "$work/log1"; fi
for said in 'public records' 'Transparency Log Entries' 'certificate was verified' 'got alice@example.com' 'no signatures found' 'refused twice'; do
  if grep -q "$said" "$work/log1"; then ok "line 1 says: $said"; else no "line 1 does not say: $said" "$work/log1"; fi
done
cat "$work/log1"

ln -s "$work/clone1/bin/tsign" "$work/link"
# Read completely before the search, because a reader that ends early would make tsign fail.
version=$(cd / && "$work/link" version)
if [[ $version == *'node v26'* ]]; then ok 'through a symlink, from another folder, on the pinned Node'; else no "through a symlink: $version"; fi
if [ -z "$(cd "$work/clone1" && git status --porcelain)" ]; then ok 'the clone is as clean as before'; else no 'files are left in the clone'; fi

if type_line 2 "${lines[1]}"; then ok "line 2: ${lines[1]}"; else no "line 2: ${lines[1]}" "$work/log2"; fi
closing=$(tail -n 1 "$work/log2")
if [[ $closing =~ ^([1-9][0-9]*)\ passed,\ 0\ failed ]]; then
  ok "line 2 ends: $closing"
  passed=$((passed + BASH_REMATCH[1]))
else
  no "line 2 ends: $closing"
  grep -A 20 '^FAILED' "$work/log2"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
