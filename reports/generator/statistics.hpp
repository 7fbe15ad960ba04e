// Medians, quartiles and the rule by which two measurements are compared. Spread is never averaged away: a
// comparison may answer "ambiguous".
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace trisect::report {

struct Summary {
  int samples = 0;
  double min = 0, q1 = 0, median = 0, q3 = 0, max = 0;
};

/// Quartiles by linear interpolation between order statistics (R's type 7). `samples` must not be empty.
Summary summarize(std::vector<double> samples);

/// A mean and the interval that holds the true one with 95 % confidence (Student's t). With one sample the
/// interval is unbounded.
struct MeanInterval {
  int samples = 0;
  double mean = 0, low = 0, high = 0;
};
MeanInterval mean_interval(const std::vector<double>& samples);  ///< not empty

/// Interquartile range over the median; 0 for a median of 0.
double noise(const Summary& summary);

/// Of times that are spent one after the other: medians and quartiles add up (an upper bound of the spread),
/// the number of samples is the smallest.
Summary sum(const std::vector<Summary>& parts);

/// How many times faster a candidate is: the ratio of the medians, and the interval between the ratios of the
/// facing quartiles, q1/q3 and q3/q1.
struct Ratio {
  double centre = 0, low = 0, high = 0;
};
Ratio speedup(const Summary& base_time, const Summary& candidate_time);

enum class Verdict { kFaster, kSame, kSlower, kAmbiguous, kNotComparable };
std::string_view name_of(Verdict verdict);

/// faster (slower): the quartile boxes do not overlap and the medians differ by 2 % or more.
/// same: the medians differ by less than 2 % and no quartile ratio is further than 5 % from 1.
/// ambiguous: anything else, and anything from fewer than three samples.
Verdict judge(const Ratio& ratio, int fewest_samples);

struct Change {
  Ratio ratio;
  Verdict verdict = Verdict::kAmbiguous;
};
Change change(const Summary& base_time, const Summary& candidate_time);

/// Sparsity, as a fraction, from which a candidate is faster than its base.
struct BreakEven {
  double sparsity = 0;
  bool at_or_below = false;  ///< faster at the smallest sparsity measured already
};
struct SpeedAt {
  double sparsity, speedup;
};
/// The last crossing of 1 in `points` (ascending sparsity), interpolated linearly in the time ratio, which is
/// what falls linearly with the rows read. Empty when the candidate is not faster at the largest sparsity.
std::optional<BreakEven> break_even(const std::vector<SpeedAt>& points);

}  // namespace trisect::report
