# Commands that a story may use in addition to the documented ones; documentation.sh reads them first.

trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR

# refused COMMAND...: the program refuses (a crash, a timeout or a missing command does not count)
refused() {
  local status=0
  "$@" >refusal 2>&1 || status=$?
  if [ $status -gt 0 ] && [ $status -lt 100 ]; then return; fi
  { echo "not refused (exit $status): $*" && cat refusal; } >&2
  return 1
}

# outdated WHY COMMAND...: documentation shows it; cosign 3.1.2 refuses it, and tsign too
outdated() {
  echo "$STORY: $1: ${*:2}" >>../outdated
  refused "${@:2}"
}

# better WHY COMMAND...: documentation shows it; cosign 3.1.2 refuses it, and tsign does it
better() {
  if [ "$PROGRAM_NAME" = cosign ]; then
    EXCUSED=yes refused "${@:2}"
  else
    echo "$STORY: $1: ${*:2}" >>../better
    EXCUSED=yes "${@:2}"
  fi
}

# safer WHY COMMAND...: cosign 3.1.2 accepts what it should refuse, and tsign refuses
safer() {
  if [ "$PROGRAM_NAME" = cosign ]; then
    EXCUSED=yes "${@:2}"
  else
    echo "$STORY: $1: ${*:2}" >>../safer
    EXCUSED=yes refused "${@:2}"
  fi
}

# otherwise WHY COMMAND...: both do it, and tsign deliberately prints another form
otherwise() { EXCUSED=yes "${@:2}"; }

# image NAME: pushes a small image to the story's own repository; prints its reference by digest
image() {
  crane append --new_layer "$LAYER" -t "$REGISTRY/$1:v1" >/dev/null 2>&1
  echo "$REGISTRY/$1@$(crane digest "$REGISTRY/$1:v1")"
}

# offline COMMAND...: without any network, in its own namespace
offline() { unshare -rn "$@"; }

IMAGE=$(image app)
export IMAGE
