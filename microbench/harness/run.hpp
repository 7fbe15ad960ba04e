// main() of a microbenchmark program.
#pragma once

#include "kernels/core/bandwidth_probe.hpp"
#include "microbench/harness/group.hpp"
#include "microbench/harness/plan.hpp"
#include "microbench/harness/shapes.hpp"

namespace trisect::microbench {

struct Suite {
  Groups (*make_groups)(Shapes& shapes, const Repetitions& repetitions) = nullptr;
  std::size_t probe_bytes = BandwidthProbe::kDefaultBytes;
};

/// Parses, measures, writes; returns the exit code. Errors are one line on standard error.
int run(int argc, char** argv, const Suite& suite);

}  // namespace trisect::microbench
