// Comparing two runs of the same benchmarks. A ratio is a speed: the base's time over the new one's, so 0.9
// is slower. Nothing here assumes a distribution: on a shared machine samples come from two states, with a
// tail.
#pragma once

#include <vector>

#include "reports/generator/statistics.hpp"

namespace trisect::report {

/// Logarithms of the ratios of neighbours: one sample of the base and one of the new run, taken one after the
/// other.
using LogRatios = std::vector<double>;

/// Fewer pairs (of a row) or rows (of a family) than this cannot give an interval of 99 %.
inline constexpr int kFewestPairs = 8, kFewestRows = 8;

/// The median and its interval of 99 % or more, between two of the samples (the sign test turned round). Of
/// fewer than kFewestPairs it is from the least to the greatest, and no verdict. `pairs` must not be empty.
Ratio median_ratio(LogRatios pairs);

/// The median over all pairs of all rows, each with as much weight as it has pairs. The interval of 99 % is
/// from a bootstrap over rows, because what one process does to a row (where its memory lies) is common to
/// the row's pairs. Of fewer than kFewestRows it holds the intervals of all rows instead: a bootstrap of a
/// few would take their agreement for certainty. The same rows give the same interval. `rows` must not be
/// empty, nor any of them.
Ratio pooled_ratio(const std::vector<LogRatios>& rows);

/// Geometric means of centres and of both ends: what runs that were not interleaved share does not average
/// out.
Ratio mean_ratio(const std::vector<Ratio>& rows);

/// faster (slower): the whole interval is on one side of 1 and the centre is `margin` or more away.
/// same: the whole interval is within 5 % of 1. ambiguous: anything else.
Verdict judge_within(const Ratio& ratio, double margin);

}  // namespace trisect::report
