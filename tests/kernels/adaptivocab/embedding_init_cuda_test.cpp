// What the generated tests of the GPU's variant leave out: other weights than base 2, parts of one matrix,
// addresses that no 16 bytes fit, and parts that do not exist.
#include "kernels/adaptivocab/embedding_init_cuda.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/core/buffer.hpp"
#include "kernels/core/random.hpp"
#include "tests/kernels/on_device.hpp"

namespace trisect::adaptivocab {
namespace {

using testing::OnDevice;
using Floats = std::vector<float>;
using Integers = std::vector<std::int32_t>;

class EmbeddingInitCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
};

/// An embedding of 20 tokens with rows for 6 more behind them, as a model keeps it, after `run`.
Floats with_new_rows(Device device, double base, int first_column, Integers parts,
                     EmbeddingInit::Variant::Fn* run) {
  constexpr int kVocab = 20, kEntries = 6, kWidth = 40, kParts = 3;
  Floats matrix((kVocab + kEntries) * kWidth, NAN);
  fill_normal(View::of(matrix.data(), kVocab, kWidth), 3, 1);
  const Buffer weights = part_weights(kParts, base, Heaviest::kLast);
  Floats weight(weights.as<float>(), weights.as<float>() + weights.bytes() / sizeof(float));
  const OnDevice<float> there(device, matrix), there_weight(device, weight);
  const OnDevice<std::int32_t> there_parts(device, parts);
  const int width = kWidth - first_column;
  const View table = View::of(there.get() + first_column, kVocab, width, kWidth);
  const View rows = View::of(there.get() + kVocab * kWidth + first_column, kEntries, width, kWidth);
  run({kEntries, kParts, kVocab, width, 0, Dtype::kF32},
      {table, View::of(there_parts.get(), kEntries, kParts), View::of(there_weight.get(), kParts + 1, kParts),
       rows});
  there.fetch(matrix);
  return matrix;
}

const Integers kParts{0, 1, -1, 19, 18, 17, 5, -1, -1, 2, 2, 2, 7, 8, -1, 19, 0, 19};

TEST_F(EmbeddingInitCuda, EveryWeightingAndAlignment) {
  auto* const cpu = EmbeddingInit::variants()[1].run;
  for (const double base : {1.0, 2.0, 3.5}) {
    for (const int first : {0, 1, 4}) {
      const Floats want = with_new_rows(Device::kCpu, base, first, kParts, cpu);
      const Floats got = with_new_rows(Device::kCuda, base, first, kParts, embedding_init_cuda);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(std::isnan(got[i]), std::isnan(want[i])) << i;
        if (!std::isnan(want[i])) {
          ASSERT_NEAR(got[i], want[i], 1e-6) << i;
        }
      }
    }
  }
}

TEST_F(EmbeddingInitCuda, PartsThatDoNotExistAreNamedAsOnTheCpuAndNothingIsWritten) {
  const auto message = [&](Device device, const Integers& parts, EmbeddingInit::Variant::Fn* run) {
    try {
      with_new_rows(device, 2, 0, parts, run);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  for (const auto& [at, id] : {std::pair{4, 20}, {9, -1}, {12, -5}}) {
    Integers parts = kParts;
    parts[static_cast<std::size_t>(at)] = id;
    const std::string want = message(Device::kCpu, parts, EmbeddingInit::variants()[1].run);
    EXPECT_NE(want.find("embedding of new token " + std::to_string(at / 3)), want.npos) << want;
    EXPECT_EQ(message(Device::kCuda, parts, embedding_init_cuda), want);
  }
}

}  // namespace
}  // namespace trisect::adaptivocab
