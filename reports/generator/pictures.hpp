// The pictures of speed as gnuplot scripts. Points and bars are medians, whiskers quartiles.
#pragma once

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/plot.hpp"
#include "reports/generator/ways.hpp"

namespace trisect::report {

/// The stages of every way as stacked bars per sparsity, on the same axes, as shares of the dense product's
/// time.
Picture stage_picture(const Work& work, const std::string& file_prefix);

/// Speed-up over dense against sparsity, with what the bytes allow as dashed lines.
Picture speedup_picture(const Work& work, const std::string& file_prefix);

/// What a token costs, stage by stage, on both sides.
Picture generation_picture(const CompareRun& run, int number, const std::string& file_prefix);

}  // namespace trisect::report
