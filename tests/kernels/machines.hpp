// Every variant on other machines than this one: with fewer instruction sets and other numbers of threads.
#pragma once

#include <hwy/highway.h>
#include <omp.h>

#include <algorithm>
#include <tuple>

#include "kernels/core/cpu.hpp"
#include "tests/kernels/register.hpp"

namespace trisect::testing {

/// Until it is destroyed this processor has no better instruction set than `best`, one of Highway's targets.
class WithoutBetterThan {
 public:
  explicit WithoutBetterThan(std::int64_t best) {
    set(hwy::SupportedTargets() & ~(best - 1));  // the better a target, the lower its bit
    deny_avx512_bf16_for_test(true);
  }
  ~WithoutBetterThan() {
    set(0);
    deny_avx512_bf16_for_test(false);
  }
  WithoutBetterThan(const WithoutBetterThan&) = delete;
  WithoutBetterThan& operator=(const WithoutBetterThan&) = delete;

 private:
  static void set(std::int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

/// Until it is destroyed teams have `count` threads, whatever the number of processors.
class WithThreads {
 public:
  explicit WithThreads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~WithThreads() { omp_set_num_threads(before_); }
  WithThreads(const WithThreads&) = delete;
  WithThreads& operator=(const WithThreads&) = delete;

 private:
  int before_;
};

/// Calls body(Trial&, variant, whether it runs) for every variant of the CPU but the reference, on every odd
/// problem.
template <OpContract Op, class Body>
void each_trial(Body body) {
  for (const auto& variant : Op::variants().subspan(1)) {
    if (variant.device != Device::kCpu) continue;
    for (const auto& problem : Op::odd_problems()) {
      if (!variant.available(problem)) continue;
      SCOPED_TRACE(fmt::format("{} {} {}", Op::name, variant.name, describe<Op>(problem)));
      Trial<Op> trial(problem, variant);
      body(trial, variant, [&] { return static_cast<bool>(variant.available(problem)); });
    }
  }
}

/// Takes Highway's targets away one by one, from the best on; the AVX-512 BF16 kernel is gone in all of them.
/// What oneDNN does without them is its own affair: see ONEDNN_MAX_CPU_ISA in the tests of dense.
template <OpContract Op>
void expect_agreement_on_every_instruction_set() {
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  each_trial<Op>([&](Trial<Op>& trial, const auto&, auto runs) {
    for (const std::int64_t target : targets) {
      SCOPED_TRACE(hwy::TargetName(target));
      const WithoutBetterThan fewer(target);
      if (runs()) trial.expect_agreement();
    }
  });
}

inline constexpr double kRounding = 1e-6;

/// With 1 to 8 threads, and with more than there are processors: against the reference, and against the same
/// variant's results with one thread.
template <OpContract Op>
void expect_agreement_with_any_number_of_threads(double tolerance) {
  std::vector<int> counts{1, 2, 3, 4, 5, 6, 7, 8};
  if (omp_get_num_procs() >= 8) counts.push_back(omp_get_num_procs() + 1);
  each_trial<Op>([&](Trial<Op>& trial, const auto& variant, auto) {
    // How oneDNN divides its work is its own affair.
    const double allowed = variant.name.starts_with("onednn") ? std::max(tolerance, kRounding) : tolerance;
    for (const int count : counts) {
      SCOPED_TRACE(fmt::format("{} threads", count));
      const WithThreads threads(count);
      if (count == 1) trial.remember();
      trial.expect_agreement();
      EXPECT_LE(trial.change(), allowed);
    }
  });
}

template <class... Op>
void expect_agreement_on_every_instruction_set(std::tuple<Op...>*) {
  (expect_agreement_on_every_instruction_set<Op>(), ...);
}

/// Ops in `Summing` add up what threads computed, so that f32 rounding depends on their number; others do not
/// depend on it at all.
template <class... Summing, class... Op>
void expect_agreement_with_any_number_of_threads(std::tuple<Op...>*) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "teams of libgomp are not instrumented: ThreadSanitizer sees one thread only";
#endif
  const auto sums = []<class One>() { return (std::is_same_v<One, Summing> || ...); };
  (expect_agreement_with_any_number_of_threads<Op>(sums.template operator()<Op>() ? kRounding : 0.0), ...);
}

}  // namespace trisect::testing
