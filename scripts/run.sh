#!/usr/bin/env bash
# run.sh [OUTPUT DIRECTORY]: builds, benchmarks LaRoSA, vAttention and AdaptiVocab at phi-2's shapes, compares every combination
# of the three on the embedded phi-mini, measures phi-mini's quality at a row of sparsities, serves traces of requests
# on every KV cache, compares phi-mini's vocabulary with an adapted one, and writes the report. Takes some twelve minutes
# on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-reports/out/$(date -u +%Y%m%d-%H%M%S)}
bin=build/release/bin

step() { printf '\n== %s\n' "$*" >&2; }

# A task on a cluster (scripts/cluster) finds the programs built.
[[ -n ${TRISECT_BUILT:-} ]] || ./scripts/build.sh release --target microbench phi2 report

step "1/6 kernels: LaRoSA, vAttention and AdaptiVocab at phi-2's shapes"
device=${TRISECT_DEVICE:-cpu}
if [[ -z ${TRISECT_DEVICE:-} ]] && compgen -G '/dev/nvidia[0-9]' >/dev/null; then device=all; fi
# AdaptiVocab's counts, choices and patches: the others of its family take longer than these together.
families='^(larosa|vattention|adaptivocab/(ngram|patch)_[a-z]*|dense/(copy|gemv|layernorm|gelu))/'
$bin/microbench --shapes=phi2 --device=$device --benchmark_filter="$families" --out="$out/microbench"

step "2/6 generation: phi-mini with every combination of the three"
# One thread, as below.
$bin/phi2 compare --threads 1 --larosa-sparsity 0.4 --kv-cache vattention --patch-tokenizer phi-mini-sqlite \
  --decode-text integration/texts/domain.txt --out "$out/compare"

# phi-2's own tokenizer does not come with Trisect; with it, the same at phi-2's size takes a quarter of an hour and 14 GB.
if [[ -n ${TRISECT_PHI2_TOKENIZER:-} ]]; then
  $bin/phi2 adapt --model "$TRISECT_PHI2_TOKENIZER" --corpus integration/texts/domain-train.txt --add 10000 \
    --output "$out/phi-2-sqlite"
  $bin/phi2 compare --model synthetic:phi-2 --tokenizer "$TRISECT_PHI2_TOKENIZER" --larosa-sparsity 0.5 \
    --larosa-mode merged --larosa-rotation global --kv-cache vattention \
    --patch-tokenizer "$out/phi-2-sqlite/patch_tokenizer.json" --decode-text integration/texts/domain.txt --passages 1 \
    --passage-characters 150 --out "$out/compare-phi-2"
fi

step "3/6 quality: phi-mini with every mode and rotation at five sparsities"
mkdir -p "$out/sweep"
# One thread: products of phi-mini's size keep a team waiting for each other more than working.
$bin/phi2 evaluate --threads 1 --text integration/texts/general.txt --text-tokens 3072 \
  --larosa-sweep 0.25,0.4,0.5,0.6,0.75 --json "$out/sweep/sweep.json"

step "4/6 KV caches: five traces of requests, one of them with phi-2's rows too, one with pages of 2 MiB"
trace() {  # NAME GRANULE REQUESTS KV CACHES
  mkdir -p "$out/trace/$1-$2"
  # One thread, as above.
  $bin/phi2 trace --threads 1 --trace "integration/traces/$1.json" --kv-granule "$2" --requests "$3" --kv-cache "$4" \
    --kv-parked-mb 2 --json "$out/trace/$1-$2/trace.json"
}
all=static,lazy,growing,paged,vattention,tracked
for name in chat uniform long staggered; do trace "$name" small 16 static,growing,paged,vattention; done
trace short small 60 "$all"
# Rows as long as phi-2's, in four of its layers.
mkdir -p "$out/trace/staggered-phi-2"
$bin/phi2 trace --model synthetic:phi-2:4 --trace integration/traces/staggered.json --requests 5 --context 512 \
  --kv-cache static,growing,paged,vattention --kv-parked-mb 2 --json "$out/trace/staggered-phi-2/trace.json"
if grep -q '\[\(always\|madvise\)\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null; then trace short huge 60 "$all"; fi

step "5/6 vocabulary: phi-mini's own, and AdaptiVocab's for SQLite with and without fine-tuning"
mkdir -p "$out/vocabulary"
$bin/phi2 vocabulary --threads 1 --patch-tokenizer phi-mini-sqlite --json "$out/vocabulary/vocabulary.json"

step "6/6 report"
compared=("$out"/compare*)
$bin/report --input "$out/microbench" "${compared[@]}" "$out/sweep" "$out"/trace/* "$out/vocabulary" \
  --output "$out/report.md"
echo "$out/report.md"
