#include "kernels/dense/embedding.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace trisect::dense {
namespace {

TEST(Embedding, TakesStridedRows) {
  float table[3][4] = {{0, 1, 2, -1}, {10, 11, 12, -1}, {20, 21, 22, -1}}, y[2][5] = {};
  std::int32_t token[] = {2, 0};
  embedding_cpu({2, 3, 3, Dtype::kF32},
                {View::of(&table[0][0], 3, 3, 4), View::of(token, 1, 2), View::of(&y[0][0], 2, 3, 5)});
  EXPECT_EQ(y[0][0], 20);
  EXPECT_EQ(y[0][2], 22);
  EXPECT_EQ(y[0][3], 0);
  EXPECT_EQ(y[1][1], 1);
}

TEST(Embedding, NamesAnIdOutsideTheVocabularyAndWritesNothing) {
  bf16 table[2][3] = {};
  float y[3][3] = {{5, 5, 5}, {5, 5, 5}, {5, 5, 5}};
  for (const std::int32_t bad : {-1, 2, std::numeric_limits<std::int32_t>::max()}) {
    std::int32_t token[] = {0, bad, 1};
    try {
      embedding_cpu({3, 2, 3, Dtype::kBf16},
                    {View::of(&table[0][0], 2, 3), View::of(token, 1, 3), View::of(&y[0][0], 3, 3)});
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find(std::to_string(bad)), std::string::npos) << error.what();
    }
    EXPECT_EQ(y[0][0], 5);
  }
}

}  // namespace
}  // namespace trisect::dense
