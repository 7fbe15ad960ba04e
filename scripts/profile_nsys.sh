#!/usr/bin/env bash
# profile_nsys.sh [--print] [FILTER]: a timeline of the benchmarks that match, by Nsight Systems: what runs when, with which
# gaps, under ranges named as the benchmarks (domain "trisect"). --print shows the command lines instead.
set -euo pipefail
tool=nsys package="Nsight Systems (nsight-systems, or with the CUDA toolkit)"
source "$(dirname "$0")/profile_common.sh"
profile nsys profile --trace=cuda,nvtx,osrt --cuda-graph-trace=node --force-overwrite=true --output="$out" \
  "$bin" --device=cuda --benchmark_filter="$filter" --benchmark_repetitions=1
profile nsys stats --report=nvtx_gpu_proj_sum,cuda_gpu_kern_sum "$out.nsys-rep"
