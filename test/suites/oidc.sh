#!/usr/bin/env bash
# Every way to get an identity token from the shared stack's issuer: a blob signed with each verifies for the
# identity, and for no other. The browser flow also runs in headless Chromium, and its last page is checked.
# Prints `N passed, N failed` last. STACK_ENV: the running stack's env file; TSIGN_SHARED: the shared folder.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
stack=${TSIGN_SHARED:-$root/../shared}/stack/stack tsign=$root/bin/tsign
[ -f "${STACK_ENV:-}" ] || {
  echo 'no running stack: set STACK_ENV to the file that `stack env` names' >&2
  echo '0 passed, 1 failed'
  exit 1
}
. "$STACK_ENV"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
home=$HOME
export HOME=$work
echo hello >blob
passed=0 failed=0
trust=(--trusted-root "$STACK_TRUSTED_ROOT")
sign=("$tsign" sign-blob --yes --signing-config "$STACK_SIGNING_CONFIG" "${trust[@]}" --bundle b.json)

ok() { echo "ok   $1"; passed=$((passed + 1)); }
bad() { echo "FAIL $1"; tail -n 5 log; failed=$((failed + 1)); }
verifies() { # IDENTITY ISSUER
  "$tsign" verify-blob "${trust[@]}" --certificate-identity "$1" --certificate-oidc-issuer "$2" --bundle b.json blob >>log 2>&1
}
signed_by() { # NAME STATUS IDENTITY [ISSUER]
  local issuer=${4:-$STACK_ISSUER}
  if [ "$2" = 0 ] && verifies "$3" "$issuer" && ! verifies nobody@example.com "$issuer"; then ok "$1"; else bad "$1"; fi
  rm -f b.json
}
address() { # the URL in the log that matches $1, once it is there
  local i
  for i in $(seq 100); do grep -oE "http://[^ ]*$1[^ ]*" log && return; sleep 0.1; done
}

"${sign[@]}" --identity-token "$("$stack" token --email ann@example.com)" blob >log 2>&1 </dev/null
signed_by 'a token on the command line' $? ann@example.com

"$stack" token --email ben@example.com >token
"${sign[@]}" --identity-token token blob >log 2>&1 </dev/null
signed_by 'a token in a file' $? ben@example.com

SIGSTORE_ID_TOKEN=$(cat token) "${sign[@]}" blob >log 2>&1 </dev/null
signed_by 'a token in the environment' $? ben@example.com

GITHUB_ACTIONS=true ACTIONS_ID_TOKEN_REQUEST_URL=$STACK_GHA_TOKEN_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN=x \
  "${sign[@]}" blob >log 2>&1 </dev/null
status=$?
identity=$("$tsign" bundle inspect b.json 2>/dev/null | grep -oE 'https://github[^ ]*@refs[^ ]*' | head -n 1)
signed_by 'a GitHub Actions job' $status "$identity" "$STACK_CI_ISSUER"

"${sign[@]}" --fulcio-auth-flow device blob >log 2>&1 </dev/null &
job=$!
"$stack" login "$(address 'user_code=')" cleo@example.com >/dev/null 2>&1
wait $job
signed_by 'device flow' $? cleo@example.com

PATH=$STACK_BROWSER_PATH:$PATH STACK_LOGIN_EMAIL=dora@example.com "${sign[@]}" --fulcio-auth-flow normal blob >log 2>&1 </dev/null
signed_by 'browser flow' $? dora@example.com

mkfifo code
"${sign[@]}" --fulcio-auth-flow oob blob >log 2>&1 <code &
job=$!
exec 3>code
"$stack" login "$(address 'redirect_uri=urn')" emil@example.com >shown 2>/dev/null
tr -d '\n' <shown | grep -oE '[A-Za-z0-9_-]{20,}' | tail -n 1 >&3
exec 3>&-
wait $job
signed_by 'a code typed by hand' $? emil@example.com

printf secret >secret
"${sign[@]}" --fulcio-auth-flow client_credentials --oidc-client-secret-file secret blob >log 2>&1 </dev/null
status=$?
identity=$("$tsign" bundle inspect b.json 2>/dev/null | sed -nE 's/^ *- (Email|URI): //p' | head -n 1)
signed_by 'client credentials' $status "$identity"

for refused in "--ttl=-60" "--aud=other"; do
  if "${sign[@]}" --identity-token "$("$stack" token --email ann@example.com "${refused%%=*}" "${refused#*=}")" blob >log 2>&1 </dev/null
  then bad "a token with $refused is refused"; else ok "a token with $refused is refused"; fi
done

command -v chromium >/dev/null || (apt-get update && apt-get install -y --no-install-recommends chromium) >log 2>&1
mkdir bin
cat >bin/xdg-open <<EOF
#!/bin/sh
HOME=$work/chromium chromium --headless --no-sandbox --disable-gpu --timeout=20000 --dump-dom "\$1&login_hint=fred@example.com" >page 2>chromium.log &
EOF
chmod +x bin/xdg-open
PATH=$work/bin:$PATH "${sign[@]}" --fulcio-auth-flow normal blob >log 2>&1 </dev/null
signed_by 'browser flow through headless Chromium' $? fred@example.com
for i in $(seq 100); do grep -q '</html>' page 2>/dev/null && break; sleep 0.1; done
if grep -q 'You are signed in' page && grep -q 'fred@example.com' page && grep -q 'You can close this window' page; then ok "Chromium's last page says what happened and what to do"
else cp page log; bad "Chromium's last page"; fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
