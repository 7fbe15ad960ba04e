// Buffers, random data and threads.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "kernels/core/buffer.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "kernels/core/threads.hpp"

namespace trisect {
namespace {

TEST(BufferTest, IsAlignedZeroAndMoves) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{3} << 20}) {
    Buffer buffer(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(buffer.data()[0], std::byte{0});
    EXPECT_EQ(buffer.data()[bytes - 1], std::byte{0});
    buffer.data()[bytes - 1] = std::byte{5};
    const Buffer moved = std::move(buffer);
    EXPECT_EQ(moved.data()[bytes - 1], std::byte{5});
  }
}

TEST(BufferTest, TooLargeIsAnErrorWithTheSize) {
  try {
    Buffer buffer(std::size_t{1} << 60);
    FAIL() << "an exabyte was had";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    EXPECT_NE(std::string(error.what()).find("1152921504606846976"), std::string::npos);
  }
}

TEST(Random, HasTheMomentsItPromises) {
  for (const bool normal : {false, true}) {
    Buffer buffer(Dtype::kF32, 300, 1000);
    normal ? fill_normal(buffer.view(), 5, 2.0f) : fill_uniform(buffer.view(), 5, 2.0f);
    double sum = 0, squares = 0;
    for (int i = 0; i < 300000; ++i) {
      const double v = buffer.as<float>()[i];
      sum += v;
      squares += v * v;
    }
    EXPECT_NEAR(sum / 300000, 0, 0.02);
    EXPECT_NEAR(std::sqrt(squares / 300000), 2, 0.02);
  }
}

TEST(Random, ElementsDependOnSeedAndIndexAlone) {
  EXPECT_EQ(random_bits(1, 2), random_bits(1, 2));
  EXPECT_NE(random_bits(1, 2), random_bits(2, 1));
  Buffer whole(Dtype::kBf16, 4, 100);
  fill_normal(whole.view(), 9, 1.0f);
  Buffer first(Dtype::kBf16, 2, 100);
  fill_normal(first.view(), 9, 1.0f);
  EXPECT_EQ(std::memcmp(whole.data(), first.data(), first.bytes()), 0);
}

TEST(Threads, PinnedTeamHasTheSizeItReports) {
  const int count = pin_threads(1);
  EXPECT_EQ(count, 1);
  EXPECT_TRUE(threads_pinned());
  std::atomic<int> ran{0};
#pragma omp parallel
  ++ran;
  EXPECT_EQ(ran, 1);
  EXPECT_THROW(pin_threads(100000), Error);
  EXPECT_THROW(pin_threads(-1), Error);
}

TEST(Split, CoversEverythingOnceInWholeUnits) {
  for (const long total : {0L, 1L, 7L, 64L, 1000L}) {
    for (const int parts : {1, 2, 3, 8}) {
      for (const long unit : {1L, 16L}) {
        long next = 0;
        for (int part = 0; part < parts; ++part) {
          const Range range = split(total, part, parts, unit);
          EXPECT_EQ(range.first, std::min(next, total));
          EXPECT_TRUE(range.last == total || range.last % unit == 0);
          next = range.last;
        }
        EXPECT_EQ(next, total);
      }
    }
  }
}

}  // namespace
}  // namespace trisect
