// Makes the tests of an op from its variant table: every variant, on every odd problem, against its reference, with
// poisoned outputs and guard bytes. An op with more to say has <op>_test.cpp beside its generated tests. Variants that
// run on the GPU are in suites of their own, larosa_topk_cuda beside larosa_topk.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "kernels/core/op.hpp"

namespace trisect::testing {

/// A variant on a problem, beside the results it must reach.
template <OpContract Op>
class Trial {
 public:
  using Problem = typename Op::Problem;
  using Args = typename Op::Args;
  using Variant = VariantOf<Problem, Args>;

  Trial(const Problem& problem, const Variant& variant) : problem_(problem), variant_(variant), arena_(20260101) {
    got_ = Op::make(problem_, arena_);
    arena_.begin_reference(0);
    want_ = Op::make(problem_, arena_);
    const auto ref = variant_.ref != nullptr ? variant_.ref : Op::variants()[0].run;
    ref(problem_, want_);
    args_ = got_;
    if (variant_.device == Device::kCuda) {
      arena_.begin_device(0, cuda_memory());
      args_ = Op::make(problem_, arena_);
    }
  }

  void expect_agreement() {
    prepare(args_);
    arena_.reset_outputs();
    variant_.run(problem_, args_);
    arena_.fetch_outputs();
    const Check check = Op::check(problem_, got_, want_);
    EXPECT_NE(check.status, CheckStatus::kFail) << check.detail;
    EXPECT_EQ(arena_.damage(), "");
  }

  /// Keeps what the variant computes now, on the CPU ...
  void remember() {
    arena_.begin_reference(0, 1);
    remembered_ = Op::make(problem_, arena_);
    prepare(remembered_);
    variant_.run(problem_, remembered_);
  }
  /// ... to say how far the last expect_agreement() was from it: Check::error.
  double change() const { return Op::check(problem_, got_, remembered_).error; }

 private:
  void prepare(Args& args) {
    if constexpr (requires { args.prepared; }) {
      if (variant_.prepare != nullptr) args.prepared = variant_.prepare(problem_, args);
    }
  }

  Problem problem_;
  Variant variant_;
  Arena arena_;
  Args got_, want_, remembered_;
  Args args_;  // got_, on the variant's device
};

template <OpContract Op>
class VariantTest : public ::testing::Test {
 public:
  using Variant = typename Trial<Op>::Variant;
  VariantTest(const typename Op::Problem& problem, const Variant& variant) : problem_(problem), variant_(variant) {}

  void TestBody() override {
    if (const Availability yes = variant_.available(problem_); !yes) GTEST_SKIP() << yes.why_not;
    Trial<Op> trial(problem_, variant_);
    trial.expect_agreement();
    trial.expect_agreement();  // it finds what the first run left behind
  }

 private:
  typename Op::Problem problem_;
  Variant variant_;
};

/// A name GoogleTest accepts: letters, digits and underscores.
inline std::string test_name(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return text;
}

template <OpContract Op>
void register_tests() {
  using Variant = VariantOf<typename Op::Problem, typename Op::Args>;
  for (const Variant& variant : Op::variants()) {
    int number = 0;
    for (const typename Op::Problem& problem : Op::odd_problems()) {
      const std::string name = test_name(fmt::format("{}_{}_{}", variant.name, number++, describe<Op>(problem)));
      const std::string suite = test_name(std::string(Op::name)) + (variant.device == Device::kCuda ? "_cuda" : "");
      ::testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__,
                              __LINE__, [=]() -> ::testing::Test* { return new VariantTest<Op>(problem, variant); });
    }
  }
}

template <class... Op>
void register_tests(std::tuple<Op...>*) {
  (register_tests<Op>(), ...);
}

}  // namespace trisect::testing
