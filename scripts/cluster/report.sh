#!/usr/bin/env bash
# report.sh OUT: one report over everything that the tasks of submit.sh left below OUT, a machine a row.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1
bin=${TRISECT_BIN:-build/release/bin}

mapfile -t inputs < <(find "$out" -name '*.json' -printf '%h\n' | sort -u)
if [[ ${#inputs[@]} -eq 0 ]]; then
  echo "report: $out: no task has left results; the logs are in $out/logs" >&2
  exit 3
fi
"$bin/report" --input "${inputs[@]}" --output "$out/report.md"
