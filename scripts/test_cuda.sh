#!/usr/bin/env bash
# test_cuda.sh [CTEST OPTION...]: the CUDA tests on a machine without a GPU. Builds them where nvcc is, and runs them
# where TRISECT_CUDA_LAUNCHER names a program that emulates a device: for two compute capabilities, with race detection,
# and with the schedules of several seeds. With a GPU, test.sh alone runs them: they are part of the preset release.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v "${CUDACXX:-nvcc}" >/dev/null; then
  echo "test_cuda: nvcc was not found, the CUDA tests are not built" >&2
  exit 0
fi
export TRISECT_CUDA_LAUNCHER=${TRISECT_CUDA_LAUNCHER:-}
./scripts/build.sh cuda-emulated --target cuda_tests
if [[ -z $TRISECT_CUDA_LAUNCHER ]]; then
  echo "test_cuda: no GPU, and TRISECT_CUDA_LAUNCHER names no emulator: built, not run" >&2
  exit 0
fi

export TRISECT_REQUIRE_CUDA=1
run() {  # SETTING... -- CTEST OPTION...
  local settings=()
  while [[ $1 != -- ]]; do settings+=("CUDAEMU_$1"); shift; done
  echo "== test (cuda-emulated: ${settings[*]})" >&2
  env "${settings[@]}" ctest --preset cuda-emulated -L '^cuda$' -j "$(nproc)" "${@:2}"
}
# The sorts of CUB and Thrust take most of the time, and looking for races in them is not our task; phi-mini has no kernels
# that the small models have not. (Excluded by name: the preset excludes a label already, and ctest would want both.)
run CC=80 -- -L '^(libraries|once)$' "$@"
run CC=80 RACE=1 SEED=1 -- -E 'libraries$|mini$' "$@"
run CC=90 RACE=1 SEED=2 -- -E 'libraries$|mini$' "$@"
run CC=90 ASYNC=1 SEED=3 -- -E 'libraries$|mini$|traffic' "$@"
