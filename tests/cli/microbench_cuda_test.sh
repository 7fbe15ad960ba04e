#!/usr/bin/env bash
# microbench on a CUDA device, and what the report makes of it: times of a real one, none of an emulated one.
set -euo pipefail
bin=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
fail() { echo "microbench_cuda_test: $*" >&2; cat "$directory/console.txt" >&2; exit 1; }

code=0
"$bin/microbench" --device=cuda --shapes=smoke --benchmark_filter='larosa/(topk/cuda_radix|layer/cuda_(fused|online)/)' \
  --benchmark_repetitions=2 --out="$directory" >"$directory/console.txt" 2>&1 || code=$?
if grep -q 'no CUDA device' "$directory/console.txt" && [[ -z ${TRISECT_REQUIRE_CUDA:-} ]]; then exit 77; fi
[[ $code -eq 0 ]] || fail "exit $code"
grep -q '"timing": "host"' "$directory/manifest.json" && fail "a CUDA row was timed by the host's clock"
grep -q '"status": "\(fail\|error\)"' "$directory/manifest.json" && fail "a row failed"

"$bin/report" --input "$directory" --output "$directory/report.md" >>"$directory/console.txt" 2>&1 || fail "report: exit $?"
if grep -q '"emulated": true' "$directory/manifest.json"; then
  grep -q 'pass.*, emulated' "$directory/report.md" || fail "the report does not say that rows were emulated"
  grep -q 'Any GPU\.' "$directory/report.md" || fail "the report counts an emulated device as a measured one"
  rows=$(grep '^| `larosa/.*emulated' "$directory/report.md")
  grep -v 'emulated *| *– *| *– *| *– *|' <<<"$rows" && fail "the report shows an emulated time"
fi
grep -q '| *cuda_fused *| *bf16 *| *2 *|' "$directory/report.md" || fail "cuda_fused is not two launches with its rotation"
