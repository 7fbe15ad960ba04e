// The pictures of traces as gnuplot scripts.
#pragma once

#include "reports/generator/plot.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

/// Committed bytes of each KV cache over the steps of a trace, above what tokens use. Its script is empty
/// when nothing was recorded.
Picture memory_picture(const TraceRun& run, int number, const std::string& file_prefix);

}  // namespace trisect::report
