#!/usr/bin/env bash
# The profiling scripts: what they would run, and what they say where they cannot.
set -euo pipefail
cd "$1/scripts"
fail() { echo "profile_test: $*" >&2; exit 1; }

expect() {  # SCRIPT TOOL
  local printed
  printed=$("./$1" --print larosa/topk) || fail "$1 --print: exit $?"
  [[ $printed == *"$2 "*microbench*--device=cuda*larosa/topk* ]] || fail "$1 --print shows: $printed"
  local code=0
  "./$1" a b >/dev/null 2>&1 || code=$?
  [[ $code -eq 2 ]] || fail "$1 with two filters: exit $code"
  command -v "$2" >/dev/null && return
  code=0
  printed=$("./$1" larosa 2>&1) || code=$?
  [[ $code -eq 3 && $printed == *"$2 was not found: install"* && $(wc -l <<<"$printed") -eq 1 ]] || fail "$1: exit $code, $printed"
}
expect profile_nsys.sh nsys
expect profile_ncu.sh ncu
[[ $(./sanitize.sh --print | wc -l) -eq 4 ]] || fail "sanitize.sh has four tools"
