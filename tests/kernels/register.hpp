// Makes the tests of an op from its variant table: every variant, on every odd problem, against its reference, with
// poisoned outputs and guard bytes. An op with more to say has <op>_test.cpp beside its generated tests. Variants that
// run on the GPU are in suites of their own, larosa_topk_cuda beside larosa_topk.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "kernels/core/op.hpp"

namespace trisect::testing {

template <OpContract Op, class Variant>
class VariantTest : public ::testing::Test {
 public:
  VariantTest(const typename Op::Problem& problem, const Variant& variant) : problem_(problem), variant_(variant) {}

  void TestBody() override {
    if (const Availability yes = variant_.available(problem_); !yes) GTEST_SKIP() << yes.why_not;
    Arena arena(20260101);
    typename Op::Args got = Op::make(problem_, arena);
    arena.begin_reference(0);
    typename Op::Args want = Op::make(problem_, arena);
    const auto ref = variant_.ref != nullptr ? variant_.ref : Op::variants()[0].run;
    ref(problem_, want);
    typename Op::Args args = got;  // `got` on the device
    if (variant_.device == Device::kCuda) {
      arena.begin_device(0, cuda_memory());
      args = Op::make(problem_, arena);
    }
    if constexpr (requires { args.prepared; }) {
      if (variant_.prepare != nullptr) args.prepared = variant_.prepare(problem_, args);
    }
    for (int run = 0; run < 2; ++run) {  // a second run finds what the first left behind
      arena.reset_outputs();
      variant_.run(problem_, args);
      arena.fetch_outputs();
      const Check check = Op::check(problem_, got, want);
      EXPECT_NE(check.status, CheckStatus::kFail) << check.detail;
      EXPECT_EQ(arena.damage(), "");
    }
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
                              __LINE__, [=]() -> ::testing::Test* { return new VariantTest<Op, Variant>(problem, variant); });
    }
  }
}

template <class... Op>
void register_tests(std::tuple<Op...>*) {
  (register_tests<Op>(), ...);
}

}  // namespace trisect::testing
