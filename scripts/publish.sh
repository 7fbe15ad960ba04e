#!/usr/bin/env bash
# publish.sh RUN: copies the results of a run of run.sh, with a report on them, to reports/published/<date>-<cpu>-<revision>
# and makes the README's tables from it. Refuses runs of a tree with uncommitted changes or of an emulated device.
# Exit codes: 0 published, 2 usage, 3 not publishable, or published already.
set -euo pipefail
if [[ $# -ne 1 || ! -d $1 ]]; then echo "publish: usage: publish.sh RUN, the directory that run.sh named" >&2; exit 2; fi
run=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
bin=${TRISECT_BIN:-build/release/bin}

[[ -n ${TRISECT_BIN:-} ]] || ./scripts/build.sh release --target report
folder=$("$bin/report" --publish "$run" --into reports/published)
"$bin/report" --readme README.md --published "$folder"
du -sh "$folder" >&2
echo "$folder"
