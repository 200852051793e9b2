# What a story may say beside its documented commands; read before it by documentation.sh.

trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR

# refused COMMAND...: the program says no (a crash, a time-out or a missing command is none)
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

# safer WHY COMMAND...: cosign 3.1.2 says yes where it should not, and tsign refuses
safer() {
  if [ "$PROGRAM_NAME" = cosign ]; then
    EXCUSED=yes "${@:2}"
  else
    echo "$STORY: $1: ${*:2}" >>../safer
    EXCUSED=yes refused "${@:2}"
  fi
}

# otherwise WHY COMMAND...: both do it, and print something of another shape on purpose
otherwise() { EXCUSED=yes "${@:2}"; }

# image NAME: pushes a small image to a repository of the story's own; prints its reference by digest
image() {
  crane append --new_layer "$LAYER" -t "$REGISTRY/$1:v1" >/dev/null 2>&1
  echo "$REGISTRY/$1@$(crane digest "$REGISTRY/$1:v1")"
}

# offline COMMAND...: without any network, in a namespace of its own
offline() { unshare -rn "$@"; }

IMAGE=$(image app)
export IMAGE
