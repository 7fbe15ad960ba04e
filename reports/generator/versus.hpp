// Two microbenchmark runs against each other: a verdict for each family of kernels, with its rows beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

struct RowVersus {
  std::string name;
  Verdict verdict = Verdict::kNotComparable;
  std::optional<Ratio> ratio;  ///< of speeds, new over base; empty when not comparable
  std::optional<double> base_ns, new_ns;
  int pairs = 0;
  std::string why;     ///< why it is not comparable
  bool broke = false;  ///< passed in the base and did not pass in the new run
};

struct FamilyVersus {
  std::string name;
  Verdict verdict = Verdict::kNotComparable;
  std::optional<Ratio> ratio;
  std::string why;  ///< of a verdict that the ratio alone does not explain
  std::vector<RowVersus> rows;
};

struct Versus {
  bool paired = false;  ///< the runs took turns, repetition by repetition
  const Origin *base = nullptr, *fresh = nullptr;
  std::vector<std::string> differences;  ///< of builds and environments: they are part of every ratio
  std::optional<Ratio> control;          ///< the bandwidth probe's, which is the same code as a rule
  std::vector<FamilyVersus> families;

  /// A family is slower, or a row broke.
  bool regressed() const;
};

/// Families in the base's order. References are left out: they judge results, their speed matters to nobody.
/// Throws Error(kEnvironment) when the runs are from different machines, differ in threads or sanitizers, or
/// have no benchmark in common. The result refers to both runs.
Versus compare_runs(const MicrobenchRun& base, const MicrobenchRun& fresh);

std::string versus_markdown(const Versus& versus);

}  // namespace trisect::report
