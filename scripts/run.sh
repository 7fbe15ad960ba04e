#!/usr/bin/env bash
# run.sh [OUTPUT DIRECTORY]: builds, benchmarks LaRoSA at phi-2's shapes, compares generation with and without it on the
# embedded phi-mini, measures phi-mini's quality at a row of sparsities, and writes the report. Takes some ten minutes on
# two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-reports/out/$(date -u +%Y%m%d-%H%M%S)}
bin=build/release/bin

step() { printf '\n== %s\n' "$*" >&2; }

./scripts/build.sh release --target microbench phi2 report

step "1/4 kernels: LaRoSA at phi-2's shapes"
device=cpu
if compgen -G '/dev/nvidia[0-9]' >/dev/null; then device=all; fi
$bin/microbench --shapes=phi2 --device=$device --benchmark_filter='^(larosa|dense/copy)/' --out="$out/microbench"

step "2/4 generation: phi-mini with and without LaRoSA"
$bin/phi2 compare --larosa-sparsity 0.4 --out "$out/compare"

step "3/4 quality: phi-mini with every mode and rotation at five sparsities"
mkdir -p "$out/sweep"
# One thread: products of phi-mini's size keep a team waiting for each other more than working.
$bin/phi2 evaluate --threads 1 --text integration/texts/general.txt --text-tokens 3072 \
  --larosa-sweep 0.25,0.4,0.5,0.6,0.75 --json "$out/sweep/sweep.json"

step "4/4 report"
$bin/report --input "$out/microbench" "$out/compare" "$out/sweep" --output "$out/report.md"
echo "$out/report.md"
