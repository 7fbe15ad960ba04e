#!/usr/bin/env bash
# build.sh [PRESET]: sets up, configures and builds a preset of CMakePresets.json (release by default).
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}

./scripts/setup.sh
echo "== build ($preset)" >&2
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" -j "$(nproc)" "${@:2}"
