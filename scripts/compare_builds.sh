#!/usr/bin/env bash
# compare_builds.sh BASE NEW OUT [MICROBENCH OPTION...]: runs two microbench programs in turns, repetition by repetition,
# leaves their results in OUT/base and OUT/new, and ends with the exit code of the worse one.
#
# Both keep their memory and wait; one works at a time, and who goes first alternates, so the two samples of a pair are a
# tenth of a second apart. See docs/measuring.md.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,3p' "$0" >&2; exit 2; }
base=$1 new=$2 out=$3
shift 3
pipes=$(mktemp -d)
pids=()
# Only what is still there: a number may have been given to another process since.
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$pipes"
}
trap cleanup EXIT

start() {
  local side=$1 program=$2
  shift 2
  mkfifo "$pipes/$side.say" "$pipes/$side.grant"
  mkdir -p "$out/$side"
  "$program" --turns="$pipes/$side" --out="$out/$side" "$@" >"$out/$side/console.txt" 2>&1 &
  pids+=($!)
}
start base "$base" "$@"
start new "$new" "$@"
exec {base_grant}<>"$pipes/base.grant" {base_say}<>"$pipes/base.say"
exec {new_grant}<>"$pipes/new.grant" {new_say}<>"$pipes/new.say"
pair="$(date -u +%Y-%m-%dT%H:%M:%SZ)-$$"
echo "$pair" >&"$base_grant"
echo "$pair" >&"$new_grant"

# hear BASE|NEW: what it wants to do next, in `want`; nothing when it has ended.
want=
hear() {
  local say pid
  if [ "$1" = base ]; then say=$base_say pid=${pids[0]}; else say=$new_say pid=${pids[1]}; fi
  while true; do
    IFS= read -r -t 0.2 want <&"$say" && return
    [ -n "$want" ] || kill -0 "$pid" 2>/dev/null || return 0
  done
}
grant() {
  if [ "$1" = base ]; then echo >&"$base_grant"; else echo >&"$new_grant"; fi
}

# Of both, so that a row that only one of them has is run alone.
hear base; base_wants=$want
hear new; new_wants=$want
declare -A only
while IFS= read -r name; do only[$name]=1; done < <(
  comm -3 <("$base" "$@" --benchmark_list_tests | sed 's|/iterations:.*||' | sort) \
          <("$new" "$@" --benchmark_list_tests | sed 's|/iterations:.*||' | sort) | tr -d '\t')

round=0
while [ -n "$base_wants$new_wants" ]; do
  if [ -n "$base_wants" ] && { [ -z "$new_wants" ] || [ -n "${only[${base_wants% *}]:-}" ]; }; then
    grant base; hear base; base_wants=$want
  elif [ -n "$new_wants" ] && { [ -z "$base_wants" ] || [ -n "${only[${new_wants% *}]:-}" ]; }; then
    grant new; hear new; new_wants=$want
  elif [ $((round++ % 2)) -eq 0 ]; then
    grant base; hear base; base_wants=$want
    grant new; hear new; new_wants=$want
  else
    grant new; hear new; new_wants=$want
    grant base; hear base; base_wants=$want
  fi
done

worst=0
for pid in "${pids[@]}"; do
  code=0
  wait "$pid" || code=$?
  [ "$code" -le "$worst" ] || worst=$code
done
pids=()
[ "$worst" -eq 0 ] || tail -n 3 -- "$out/base/console.txt" "$out/new/console.txt" >&2
exit "$worst"
