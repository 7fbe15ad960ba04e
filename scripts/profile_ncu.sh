#!/usr/bin/env bash
# profile_ncu.sh [--print] [FILTER]: counters of this project's kernels in the benchmarks that match, by Nsight Compute:
# speed of light, roofline, memory, warp states and source lines. --print shows the command lines instead.
set -euo pipefail
tool=ncu package="Nsight Compute (nsight-compute, or with the CUDA toolkit)"
source "$(dirname "$0")/profile_common.sh"
profile ncu --kernel-name-base=demangled --kernel-name='regex:trisect::(dense|larosa|vattention|adaptivocab)::' \
  --launch-skip=2 --launch-count=20 --cache-control=all --clock-control=base --import-source=yes \
  --section=LaunchStats --section=Occupancy --section=SpeedOfLight --section=SpeedOfLight_RooflineChart \
  --section=MemoryWorkloadAnalysis --section=MemoryWorkloadAnalysis_Tables --section=WarpStateStats \
  --section=SourceCounters --force-overwrite --export="$out" \
  "$bin" --device=cuda --benchmark_filter="$filter" --benchmark_repetitions=1
profile ncu --import="$out.ncu-rep" --page=details
