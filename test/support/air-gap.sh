#!/bin/sh
# Runs in a network namespace of its own, in which nothing answers: verifies an archive, loads it into a registry that is started
# there on the loopback interface, and verifies the images again. TSIGN is the program, WHO its flags for the signer.
set -eu

if [ "${1:-}" != inside ]; then
  test "$(grep -c : /proc/net/dev)" -eq 1 # the loopback interface alone
  # shellcheck disable=SC2086
  $TSIGN verify $WHO --trusted-root all.tar --local-image all.tar >verified-archive
  ip link set lo up
  exec $TSIGN sandbox exec -- sh "$0" inside
fi

$TSIGN load --dir all.tar --keep-paths "$TSIGN_SANDBOX/enclave"
images=
for number in 1 2 3 4 5 6 7 8 9 10; do images="$images $TSIGN_SANDBOX/enclave/team/app$number:v1"; done
# shellcheck disable=SC2086
$TSIGN verify $WHO --trusted-root all.tar $images >verified-registry
# shellcheck disable=SC2086
if $TSIGN verify $WHO --trusted-root all.tar "$TSIGN_SANDBOX/enclave/team/app11:v1"; then exit 1; fi
