#!/usr/bin/env bash
# compare_revisions.sh [BASE [OUT]]: builds revision BASE beside this tree, runs both microbench programs in turns, and
# says whether this tree is slower. BASE is by default where this branch left main, or the commit before on main itself.
#
# Environment: TRISECT_PERF_FILTER (what is compared, default LaRoSA's kernels without their references),
# TRISECT_PERF_REPETITIONS (default 15).
# Exit codes: 0 no regression, 1 a regression or a benchmark that fails, 2 no such revision or one that cannot take
# turns yet, 3 environment.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -ge 1 ]; then
  base=$1
else
  base=$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD)
  if [ "$base" = "$(git rev-parse HEAD)" ] && git diff --quiet HEAD; then base=HEAD~1; fi
fi
base=$(git rev-parse --verify --quiet "$base^{commit}") || { echo "compare_revisions: no revision '${1:-}'" >&2; exit 2; }
out=${2:-reports/out/compare-$(date -u +%Y%m%d-%H%M%S)}
filter=${TRISECT_PERF_FILTER:-'^larosa/[a-z_]*/[^r]'}
tree=$PWD/build/base

echo "== build ($base)" >&2
if [ ! -e "$tree/source/.git" ]; then
  git worktree prune
  git worktree add --detach --force "$tree/source" "$base" >/dev/null
fi
git -C "$tree/source" checkout --quiet --detach "$base"
cmake -S "$tree/source" -B "$tree/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
cmake --build "$tree/build" --target microbench -j "$(nproc)"
echo "== build (this tree)" >&2
cmake --preset release >/dev/null
cmake --build --preset release --target microbench report -j "$(nproc)"

if ! "$tree/build/bin/microbench" --help | grep -q -- --turns; then
  echo "compare_revisions: revision $base cannot take turns: it has no --turns" >&2
  exit 2
fi
# Both read the shapes of this tree: comparing needs the same work.
TRISECT_SHAPES=$PWD/microbench/shapes ./scripts/compare_builds.sh "$tree/build/bin/microbench" \
  build/release/bin/microbench "$out" --shapes=compare --benchmark_filter="$filter" --repetition-ms=5 \
  --benchmark_repetitions="${TRISECT_PERF_REPETITIONS:-15}"
build/release/bin/report --compare "$out/base" "$out/new" --output "$out/comparison.md" --fail-on-regression
