// Quality against sparsity: the points of a sweep as curves, and what a rotation is worth beside none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

inline constexpr const char* kSweepModes[] = {"naive", "online", "merged"};
inline constexpr char kUnrotated[] = "none", kRandom[] = "random";
inline constexpr const char* kCalibrated[] = {"layer", "global"};
inline constexpr const char* kRotations[] = {"layer", "global", kUnrotated, kRandom};

struct Curve {
  std::string mode, rotation;
  bool prefill = false;
  std::map<int, const SweepPoint*> at;  ///< by sparsity in permille
};

/// Points into `run`. Decoding alone first, then in kSweepModes' and kRotations' order; only what occurs.
std::vector<Curve> curves_of(const SweepRun& run);

/// What occurs, in order.
std::vector<int> sparsities_of(const SweepRun& run);
std::vector<std::string> modes_of(const SweepRun& run);
std::vector<bool> prefills_of(const SweepRun& run);

/// Perplexities that differ by less count as the same: what a few thousand tokens of text can tell apart.
inline constexpr double kSamePerplexity = 0.01;

/// A rotation against none, of one mode and prefill: at which sparsities it is better, the same or worse.
/// `price` is its perplexity over that of none; sparsity 0 and points without a number do not count.
struct AgainstNone {
  std::string mode, rotation;
  bool prefill = false;
  std::map<int, double> price;  ///< by sparsity in permille

  std::vector<int> better() const;
  std::vector<int> same() const;
  std::vector<int> worse() const;
};
std::vector<AgainstNone> against_none(const SweepRun& run);

/// Of what was compared with none, the sparsity to speak of: `wanted` in its order, else the largest; 0 for
/// nothing.
int telling_sparsity(const std::vector<AgainstNone>& all, const std::vector<int>& wanted);

}  // namespace trisect::report
