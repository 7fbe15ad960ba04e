#!/usr/bin/env bash
# sanitize.sh [--print] [TEST FILTER]: the CUDA tests under compute-sanitizer's four tools, on a GPU. --print shows the
# command lines instead. The filter is GoogleTest's; by default the kernels of this project, not those of CUB and Thrust.
set -euo pipefail
cd "$(dirname "$0")/.."

print=no
if [[ ${1:-} == --print ]]; then
  print=yes
  shift
fi
filter=${1:-*_cuda.cuda_*:Cuda/*cuda_*}
bin=build/cuda-debug/bin

commands=()
for tool in memcheck racecheck initcheck synccheck; do
  commands+=("compute-sanitizer --tool $tool --error-exitcode 1 $bin/test_kernel_larosa --gtest_filter=$filter")
done
if [[ $print == yes ]]; then
  printf '%s\n' "${commands[@]}"
  exit 0
fi
if ! command -v compute-sanitizer >/dev/null; then
  echo "sanitize: compute-sanitizer was not found: install the CUDA toolkit, or put its bin directory into PATH" >&2
  exit 3
fi
if ! compgen -G '/dev/nvidia[0-9]' >/dev/null; then
  echo "sanitize: no GPU is visible; ./scripts/test_cuda.sh runs the tests on an emulated device" >&2
  exit 3
fi
./scripts/build.sh cuda-debug --target cuda_tests
set -f  # the filter is not a pattern of file names
for command in "${commands[@]}"; do
  echo "== $command" >&2
  TRISECT_REQUIRE_CUDA=1 $command
done
