// What the generated tests of the GPU's variants leave out: texts in chunks, ids at the edge, and refusals.
#include "kernels/adaptivocab/ngram_count_cuda.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/core/buffer.hpp"
#include "tests/kernels/on_device.hpp"

namespace trisect::adaptivocab {
namespace {

using testing::OnDevice;
using Integers = std::vector<std::int32_t>;

struct Counted {
  Integers gram, count;  // the rows that were found
  bool operator==(const Counted&) const = default;
};

/// What `run` finds in arguments on a device.
template <class Run>
Counted counted(Device device, Integers tokens, Integers flags, int n, int min_count, const Run& run) {
  const NgramCount::Problem p{static_cast<int>(tokens.size()), static_cast<int>(flags.size()), n, min_count};
  const auto rows = static_cast<std::size_t>(NgramCount::capacity(p));
  Integers gram(rows * static_cast<std::size_t>(n), -7), count(rows, -7), found{-7};
  const OnDevice<std::int32_t> there_tokens(device, tokens), there_flags(device, flags),
      there_gram(device, gram), there_count(device, count), there_found(device, found);
  const auto line = [](std::int32_t* data, std::size_t size) {
    return View::of(data, 1, static_cast<std::int64_t>(size));
  };
  run(p, {line(there_tokens.get(), tokens.size()), line(there_flags.get(), flags.size()),
          View::of(there_gram.get(), static_cast<std::int64_t>(rows), n), line(there_count.get(), rows),
          line(there_found.get(), 1)});
  there_gram.fetch(gram), there_count.fetch(count), there_found.fetch(found);
  gram.resize(static_cast<std::size_t>(found[0]) * static_cast<std::size_t>(n));
  count.resize(static_cast<std::size_t>(found[0]));
  return {gram, count};
}

auto in_chunks_of(std::int64_t chunk) {
  return [chunk](const NgramCount::Problem& p, const NgramCount::Args& a) {
    ngram_count_cuda_sort(p, a, chunk);
  };
}

void expect_all_agree(const Integers& tokens, const Integers& flags, int n, int min_count) {
  const Counted want = counted(Device::kCpu, tokens, flags, n, min_count, ngram_count_ref);
  EXPECT_EQ(counted(Device::kCuda, tokens, flags, n, min_count, ngram_count_cuda_hash), want);
  EXPECT_EQ(counted(Device::kCuda, tokens, flags, n, min_count, in_chunks_of(1 << 20)), want);
  const auto part = std::max<std::int64_t>(1, static_cast<std::int64_t>(tokens.size()) / 3);
  EXPECT_EQ(counted(Device::kCuda, tokens, flags, n, min_count, in_chunks_of(part)), want);
}

class AdaptivocabCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
};

TEST_F(AdaptivocabCuda, ChunksAreCountedAsOneText) {
  const Integers tokens = text_like_tokens(2500, 60, 3), flags = strewn_flags(60, 5);
  const Counted want = counted(Device::kCpu, tokens, flags, 4, 2, ngram_count_ref);
  ASSERT_GT(want.count.size(), 100u);
  for (const int chunk : {700, 2499, 2500}) {
    EXPECT_EQ(counted(Device::kCuda, tokens, flags, 4, 2, in_chunks_of(chunk)), want) << chunk;
  }
}

TEST_F(AdaptivocabCuda, TextsWithoutNgrams) {
  for (const int size : {0, 1, 2, 3})
    expect_all_agree(Integers(static_cast<std::size_t>(size), 1), Integers(5), 4, 1);
  expect_all_agree(Integers(100, 2), Integers(5, kBarrier), 3, 1);
  expect_all_agree(Integers(100, 2), Integers(5, kDigits), 3, 1);
  expect_all_agree(Integers(100, 2), Integers(5), 3, 100);
}

TEST_F(AdaptivocabCuda, OneTokenAgainAndAgain) {
  const Counted got = counted(Device::kCuda, Integers(300, 4), Integers(5), 3, 1, ngram_count_cuda_hash);
  EXPECT_EQ(got.gram, (Integers{4, 4, -1, 4, 4, 4}));
  EXPECT_EQ(got.count, (Integers{299, 298}));
  expect_all_agree(Integers(300, 4), Integers(5), 4, 2);
}

TEST_F(AdaptivocabCuda, TheLastIdsOfVocabularies) {
  for (const int vocab :
       {51200, 65536, 65537, 200064}) {  // 4 ids of 16, 17 and 18 bits do not fit into a key
    Integers tokens;
    for (int i = 0; i < 200; ++i) tokens.push_back(i % 7 == 3 ? 0 : vocab - 1 - i % 3);
    expect_all_agree(tokens, Integers(static_cast<std::size_t>(vocab)), 4, 2);
  }
}

TEST_F(AdaptivocabCuda, IdsOutsideTheVocabularyAreNamedAsOnTheCpu) {
  for (const std::int32_t bad : {5, -1, std::numeric_limits<std::int32_t>::max()}) {
    Integers tokens(600, 1);
    tokens[570] = tokens[333] = bad;
    const auto message = [&](Device device, const auto& run) {
      try {
        counted(device, tokens, Integers(5), 3, 1, run);
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string("nothing");
    };
    const std::string want = message(Device::kCpu, ngram_count_sort);
    EXPECT_NE(want.find("at 333"), want.npos);
    EXPECT_EQ(message(Device::kCuda, ngram_count_cuda_hash), want);
    EXPECT_EQ(message(Device::kCuda, in_chunks_of(100)), want);
  }
}

/// On a device of few megabytes, which the test's settings ask the emulator for; the memory of a real one is
/// not filled for this.
TEST_F(AdaptivocabCuda, FullMemoryIsOneLine) {
  if (!cuda_facts().emulated) GTEST_SKIP() << "only where memory can be limited";
  const Integers tokens = text_like_tokens(100000, 3000, 3), flags(3000);
  for (int variant = 0; variant < 2; ++variant) {
    try {
      variant == 0 ? counted(Device::kCuda, tokens, flags, 2, 20, ngram_count_cuda_hash)
                   : counted(Device::kCuda, tokens, flags, 2, 20, in_chunks_of(1 << 20));
      ADD_FAILURE() << "two megabytes were enough";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment) << error.what();
      const std::string text = error.what();
      EXPECT_NE(text.find("too little free memory for 100000 tokens"), text.npos) << text;
      EXPECT_EQ(text.find('\n'), text.npos) << text;
    }
  }
  // What it had is free again, and smaller parts fit.
  const Integers part(tokens.begin(), tokens.begin() + 3000);
  expect_all_agree(part, flags, 2, 2);
}

}  // namespace
}  // namespace trisect::adaptivocab
