#!/usr/bin/env bash
# test.sh [PRESET] [CTEST OPTION...]: builds everything and runs every test. Without options also those of the CUDA
# kernels, as far as this machine can (scripts/test_cuda.sh).
#   ./scripts/test.sh                     release
#   ./scripts/test.sh asan                under AddressSanitizer and UndefinedBehaviorSanitizer
#   ./scripts/test.sh release -L kernel   one label
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}

./scripts/build.sh "$preset"
echo "== test ($preset)" >&2
ctest --preset "$preset" "${@:2}"

if [[ $# -le 1 && $preset =~ ^(release|ci)$ ]] && ! compgen -G '/dev/nvidia[0-9]' >/dev/null; then
  ./scripts/test_cuda.sh
fi
