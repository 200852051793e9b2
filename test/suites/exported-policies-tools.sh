#!/usr/bin/env bash
# Builds policy-controller's policy-tester and Kyverno's command line from the Go proxy, into a folder outside the clone:
# exported-policies-tools.sh [policy-tester] [kyverno]. They take 5 and 11 minutes of a processor; GOMAXPROCS and nice apply.
set -euo pipefail

bin=${TSIGN_TOOLS:-$HOME/.cache/tsign-tools}/exported-policies
mkdir -p "$bin"
. "$(dirname "$0")/go-programs.sh"

for name in "${@:-policy-tester}"; do
  case $name in
    policy-tester) build_policy_controller "$name" ./cmd/tester ;;
    kyverno) build_kyverno "$name" ./cmd/cli/kubectl-kyverno ;;
    *) echo "exported-policies-tools: unknown program $name" >&2; exit 1 ;;
  esac
done
