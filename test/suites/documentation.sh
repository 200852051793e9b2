#!/usr/bin/env bash
# The scripts of cosign's documentation, unchanged, with `cosign` standing for tsign and, as the control, for cosign
# itself: each story of documentation/ must run to its end with both, and both must give the same answer to every
# command, by exit code and by the shape of what they print. Runs on the shared stack. Prints `N passed, N failed` last.
# STACK_ENV: the running stack's env file; PATH: the tools of tools.sh. Arguments: the stories to run, all by default.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
[ -f "${STACK_ENV:-}" ] || {
  echo 'no running stack: set STACK_ENV to the file that `stack env` names' >&2
  echo '0 passed, 1 failed'
  exit 1
}
. "$STACK_ENV"
stories=$root/test/suites/documentation
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- `cosign` in the PATH of a story: runs the program and records its answer

mkdir "$work/bin"
ln -s "$STACK_CRANE" "$work/bin/crane"
cat >"$work/bin/cosign" <<'SHIM'
#!/usr/bin/env bash
out=$(mktemp -p "$TMPDIR")
timeout 60 "$PROGRAM" "$@" >"$out"
status=$?
cat "$out"
shape=empty
if [ -s "$out" ]; then
  shape=$(jq -ncr '[inputs | [paths | map(if type == "number" then 0 else . end) | join(".")] | unique] | unique | tojson' "$out" 2>/dev/null) || shape=text
fi
answer=$status
[ -z "${EXCUSED:-}" ] || answer=excused shape=
printf '%s\t%s\t%s\n' "$answer" "${*//$'\n'/ }" "$shape" >>"$ANSWERS"
exit "$status"
SHIM
chmod +x "$work/bin/cosign"
echo hello >"$work/hello.txt"
tar -C "$work" --owner 0 --group 0 --mtime @0 -cf "$work/layer.tar" hello.txt

# --- a story, told by one program

tell() { # STORY PROGRAM-NAME PROGRAM
  local story=$1 home=$work/$2/$1
  mkdir -p "$home" "$home.tmp"
  [ ! -d "$work/$2/initialized" ] || cp -r "$work/$2/initialized/.sigstore" "$home"
  (
    cd "$home" || exit
    env -i PATH="$work/bin:$PATH" LANG=C.UTF-8 HOME="$home" TMPDIR="$home.tmp" STORY="$story" ANSWERS="$home.answers" \
      PROGRAM="$3" PROGRAM_NAME="$2" LAYER="$work/layer.tar" COSIGN_PASSWORD='correct horse' \
      REGISTRY="$STACK_REGISTRY/$story-$2-$$" OTHER_REGISTRY="${STACK_REGISTRY_V3}/$story-$2-$$" \
      IDENTITY=alice@example.com OIDC_ISSUER="$STACK_ISSUER" SIGSTORE_ID_TOKEN="$token" CI_ISSUER="$STACK_CI_ISSUER" \
      CI_TOKEN_URL="$STACK_GHA_TOKEN_URL" MIRROR="$STACK_TUF" ROOT_JSON="$STACK_TUF_ROOT" FULCIO="$STACK_FULCIO" \
      REKOR="$STACK_REKOR1" REKOR_V2="$STACK_REKOR2" TSA="$STACK_TSA" FULCIO_CHAIN="$STACK_FULCIO_CHAIN" \
      CT_LOG_KEY="$STACK_CT_PUB" REKOR_KEY="$STACK_REKOR1_PUB" REKOR_V2_KEY="$STACK_REKOR2_PUB" TSA_CHAIN="$STACK_TSA_CHAIN" \
      bash -Eeuo pipefail -c '. "$0"; . "$1"' "$stories/words.bash" "$stories/$story.sh" >"$home.log" 2>&1 </dev/null
    echo $? >"$home.status"
  )
  touch "$home.answers"
}

# What differs between two runs of the same commands: the repository, digests of signatures, tokens, and signatures.
same_for_all() {
  sed -E -e "s#$work/(tsign|cosign)##g; s/-(tsign|cosign)-$$//g; s/sha256([:-])[0-9a-f]{64}/sha256\1X/g; s/eyJ[A-Za-z0-9._-]+/TOKEN/g" \
    -e 's#[A-Za-z0-9+/]{60,}=*#BASE64#g; s#/dev/fd/[0-9]+#FD#g' "$1" | sort
}

# compare STORY: ends with the story's verdict in $work/STORY.verdict
compare() {
  local story=$1 name
  {
    for name in tsign cosign; do
      if [ "$(cat "$work/$name/$story.status")" = 0 ]; then echo "ok   $story, $name"
      else echo "FAIL $story, $name"; tail -n 15 "$work/$name/$story.log" | cut -c1-400; fi
    done
    if diff <(same_for_all "$work/cosign/$story.answers") <(same_for_all "$work/tsign/$story.answers") >"$work/$story.diff"; then
      echo "ok   $story, the same answers"
    else echo "FAIL $story: cosign (<) and tsign (>) answer otherwise"; cut -c1-600 "$work/$story.diff"; fi
  } >"$work/$story.verdict"
}

token=$(curl -sSfG --data-urlencode email=alice@example.com "$STACK_ISSUER/mint") || exit 1
declare -A programs=([tsign]=$root/bin/tsign [cosign]=$STACK_COSIGN)
for name in "${!programs[@]}"; do
  mkdir -p "$work/$name/initialized"
  (cd "$work/$name" && HOME=$work/$name/initialized "${programs[$name]}" initialize --mirror "$STACK_TUF" --root "$STACK_TUF_ROOT") || {
    echo "$name cannot follow the stack's TUF repository" >&2
    echo '0 passed, 1 failed'
    exit 1
  }
done

[ $# -gt 0 ] || set -- $(cd "$stories" && ls -- *.sh | sed 's/\.sh$//')
for story; do
  while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n; done
  (
    for name in tsign cosign; do tell "$story" "$name" "${programs[$name]}"; done
    compare "$story"
  ) &
done
wait

passed=0 failed=0
for story; do
  [ -f "$work/$story.verdict" ] || echo "FAIL $story was not told to its end" >"$work/$story.verdict"
  grep -v '^ok ' "$work/$story.verdict"
  passed=$((passed + $(grep -c '^ok ' "$work/$story.verdict")))
  failed=$((failed + $(grep -c '^FAIL ' "$work/$story.verdict")))
done
count() { cat "$@" 2>/dev/null | grep -c .; }
echo "== $# stories, $(count "$work"/tsign/*.answers) commands, $(cat "$work"/tsign/*.answers | grep -vc '^\(0\|excused\)') of them refused"
echo "== documented, and refused by cosign 3.1.2 and tsign: $(count "$work/cosign/outdated")"
sort "$work/cosign/outdated" 2>/dev/null | cut -c1-200
echo "== documented, refused by cosign 3.1.2, done by tsign: $(count "$work/tsign/better")"
sort "$work/tsign/better" 2>/dev/null | cut -c1-200
echo "== accepted by cosign 3.1.2, refused by tsign: $(count "$work/tsign/safer")"
sort "$work/tsign/safer" 2>/dev/null | cut -c1-200
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
