#!/usr/bin/env bash
# cluster_slurm_test.sh SOURCE BIN: scripts/cluster on a SLURM of this machine alone; skipped (77), with the reason, where
# none can be started.
set -euo pipefail
source=$1 bin=$2
fail() { echo "cluster_slurm_test: $*" >&2; exit 1; }
submit() { "$source/scripts/cluster/submit.sh" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "cluster_slurm_test: skipped: $*"; exit 77; }
"$source/scripts/cluster/local.sh" start "$work/slurm" 2>"$work/why" || skip "$(cat "$work/why")"
trap '"$source/scripts/cluster/local.sh" stop "$work/slurm"; sleep 1; rm -rf "$work"' EXIT
export SLURM_CONF=$work/slurm/slurm.conf TRISECT_BIN=$bin TRISECT_SHAPES=$source/microbench/shapes
submit --out "$work/out" -- "$bin/microbench" --shapes=smoke --device={device} --benchmark_filter=larosa/topk \
  --out={out}/microbench >/dev/null
for _ in $(seq 300); do
  [[ -e $work/out/report.md ]] && break
  sleep 0.2
done
[[ -e $work/out/report.md ]] || fail "no report within a minute: $(squeue; cat "$work"/out/logs/* || true)"
grep -q 'larosa/topk' "$work/out/report.md" || fail "the report is of something else"
[[ -s $work/out/localhost-cpu/microbench/manifest.json ]] || fail "no results of the node"
