#include "kernels/dense/attention.hpp"

#include <gtest/gtest.h>
#include <omp.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/core/buffer.hpp"
#include "kernels/core/random.hpp"

namespace trisect::dense {
namespace {

using Kernel = decltype(attention_ref);

/// Keys and values of a few slots, token rows of two layers interleaved, of which the second one is used.
struct Cache {
  static constexpr int kSlots = 3, kTokens = 300, kHeads = 3, kHead = 80, kWidth = kHeads * kHead;

  explicit Cache(Dtype dtype)
      : k(dtype, kSlots * kTokens, 2 * kWidth), v(dtype, kSlots * kTokens, 2 * kWidth) {
    fill_normal(k.view(), 1, 1);
    fill_normal(v.view(), 2, 1);
  }
  KvSpan span() const {
    const std::int64_t row = 2 * kWidth * static_cast<std::int64_t>(size_of(k.view().dtype));
    return {k.data() + row / 2, v.data() + row / 2, kTokens * row, row, k.view().dtype};
  }
  /// NaN into a token of a slot, all layers.
  void poison(int slot, int token) const {
    const std::int64_t row = slot * kTokens + token;
    for (const View& view : {k.view(), v.view()})
      std::memset(view.byte_row(row), 0xff, view.bytes() / static_cast<std::size_t>(view.rows));
  }

  Buffer k, v;
};

struct Rows {
  std::vector<std::int32_t> slot, position;

  void add(int s, int first, int last) {
    for (int p = first; p <= last; ++p) slot.push_back(s), position.push_back(p);
  }
};

/// The CUDA kernel, with everything brought to the device and back.
void attention_on_device(const Attention::Problem& problem, const Attention::Args& args) {
  DeviceMemory& memory = cuda_memory();
  const auto there = [&](const void* from, std::int64_t bytes) {
    const std::shared_ptr<void> copy(memory.allocate(static_cast<std::size_t>(bytes)),
                                     [&](void* p) { memory.release(p); });
    memory.upload(copy.get(), from, static_cast<std::size_t>(bytes));
    return copy;
  };
  const auto extent = [](const View& v) { return ((v.rows - 1) * v.stride + v.cols) * 4; };
  const std::int64_t row = args.kv.token, cache = Cache::kSlots * Cache::kTokens * row - row / 2;
  const auto q = there(args.q.data, extent(args.q)), slot = there(args.slot.data, extent(args.slot)),
             position = there(args.position.data, extent(args.position)), k = there(args.kv.k, cache),
             v = there(args.kv.v, cache);
  const bool in_place = args.out.data == args.q.data;
  const auto out = in_place ? q : there(args.out.data, extent(args.out));
  Attention::Args moved = args;
  moved.q.data = q.get();
  moved.slot.data = slot.get();
  moved.position.data = position.get();
  moved.out.data = out.get();
  moved.kv.k = static_cast<const std::byte*>(k.get());
  moved.kv.v = static_cast<const std::byte*>(v.get());
  std::shared_ptr<void> table;
  if (args.kv.table != nullptr) {
    table = there(args.kv.table, Cache::kSlots * args.kv.table_stride * 4);
    moved.kv.table = static_cast<const std::int32_t*>(table.get());
  }
  best_variant<Attention>(problem, Device::kCuda).run(problem, moved);
  memory.download(args.out.data, out.get(), static_cast<std::size_t>(extent(args.out)));
}

/// The output for queries that depend on (slot, position) alone, so that the same token may come in any
/// company.
Buffer attend(Kernel* kernel, const KvSpan& span, const Rows& rows) {
  const int count = static_cast<int>(rows.slot.size());
  const Buffer q(Dtype::kF32, count, Cache::kWidth + 5);
  Buffer out(Dtype::kF32, count, Cache::kWidth);
  for (int r = 0; r < count; ++r) {
    const auto at = static_cast<std::size_t>(r);
    fill_normal(q.view().rows_from(r, 1), static_cast<Seed>(rows.slot[at] * 1000 + rows.position[at]), 1);
  }
  kernel({count, 1, 1, Cache::kHeads, Cache::kHead, span.dtype},
         {q.view().columns(0, Cache::kWidth), View::of(rows.slot.data(), 1, count),
          View::of(rows.position.data(), 1, count), out.view(), span});
  return out;
}
Buffer attend(Kernel* kernel, const Cache& cache, const Rows& rows) {
  return attend(kernel, cache.span(), rows);
}

void expect_close(const Buffer& got, const Buffer& want, double tolerance) {
  const Check check = check_close(got.view(), want.view(), tolerance);
  EXPECT_EQ(check.status, CheckStatus::kPass) << check.detail;
}

class Attentions : public ::testing::TestWithParam<std::tuple<Kernel*, Dtype>> {
 protected:
  void SetUp() override {
    if (kernel() == attention_on_device && !why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
  Kernel* kernel() const { return std::get<0>(GetParam()); }
  const Cache cache{std::get<1>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(All, Attentions,
                         ::testing::Combine(::testing::Values(attention_ref, attention_cpu_rows,
                                                              attention_cpu_tiles),
                                            ::testing::Values(Dtype::kF32, Dtype::kBf16, Dtype::kF16)));

INSTANTIATE_TEST_SUITE_P(Cuda, Attentions,
                         ::testing::Combine(::testing::Values(attention_on_device),
                                            ::testing::Values(Dtype::kF32, Dtype::kBf16, Dtype::kF16)));

TEST_P(Attentions, TakeAnyMixtureOfRows) {
  Rows rows;
  rows.add(2, 299, 299);
  rows.add(0, 0, 150);  // a prefill in more than one tile
  rows.add(1, 63, 64);
  rows.add(0, 200, 203);
  rows.add(2, 70, 0);  // nothing
  rows.add(1, 128, 128);
  rows.add(2, 40, 100);
  std::reverse(rows.position.end() - 30, rows.position.end());  // any order within a slot
  expect_close(attend(kernel(), cache, rows), attend(attention_ref, cache, rows), 1e-5);
}

TEST_P(Attentions, DecodeStepByStepAsTheyPrefill) {
  Rows prompt;
  prompt.add(1, 0, 200);
  const Buffer whole = attend(kernel(), cache, prompt);
  for (int p = 0; p <= 200; ++p) {
    Rows step;
    step.add(1, p, p);
    const Buffer one = attend(kernel(), cache, step);
    const Check check = check_close(one.view(), whole.view().rows_from(p, 1), 1e-5);
    ASSERT_EQ(check.status, CheckStatus::kPass) << p << ": " << check.detail;
  }
}

TEST_P(Attentions, NeverReadKeysBeyondTheRow) {
  Rows rows;
  rows.add(0, 0, 9);
  rows.add(1, 60, 130);
  rows.add(2, 127, 127);
  const Buffer want = attend(kernel(), cache, rows);
  for (int token = 10; token < Cache::kTokens; ++token) cache.poison(0, token);
  for (int token = 131; token < Cache::kTokens; ++token) cache.poison(1, token);
  for (int token = 128; token < Cache::kTokens; ++token) cache.poison(2, token);
  const Check check = check_equal(attend(kernel(), cache, rows).view(), want.view());
  EXPECT_EQ(check.status, CheckStatus::kPass) << check.detail;
}

TEST_P(Attentions, FindTokensThroughATable) {
  constexpr int kPage = 16, kPages = (Cache::kTokens + kPage - 1) / kPage;
  const Cache paged(cache.span().dtype);
  std::vector<std::int32_t> table(Cache::kSlots * kPages);
  // Slots of 300 tokens do not consist of whole pages: all pages come from the pool of one slot after the
  // other.
  constexpr int kPool = Cache::kSlots * Cache::kTokens / kPage, kShort = kPool / Cache::kSlots * kPage;
  for (int i = 0; i < kPool; ++i) {
    const int slot = i % Cache::kSlots, page = i / Cache::kSlots, at = (i * 23 + 5) % kPool;
    table[static_cast<std::size_t>(slot * kPages + page)] = at;
    for (int t = 0; t < kPage; ++t) {
      const std::int64_t from = slot * Cache::kTokens + page * kPage + t, to = at * kPage + t;
      std::memcpy(paged.k.view().byte_row(to), cache.k.view().byte_row(from),
                  2 * Cache::kWidth * size_of(paged.k.view().dtype));
      std::memcpy(paged.v.view().byte_row(to), cache.v.view().byte_row(from),
                  2 * Cache::kWidth * size_of(paged.v.view().dtype));
    }
  }
  KvSpan span = paged.span();
  span.slot = kPage * span.token;
  span.table = table.data();
  span.table_stride = kPages;
  span.page_tokens = kPage;
  Rows rows;
  rows.add(0, 0, kShort - 1);
  rows.add(1, 200, 200);
  rows.add(2, kShort - 3, kShort - 1);
  const Buffer got = attend(kernel(), span, rows), want = attend(kernel(), cache, rows);
  const Check check = check_equal(got.view(), want.view());  // the same sums in the same order
  EXPECT_EQ(check.status, CheckStatus::kPass) << check.detail;
}

TEST_P(Attentions, KeepALaterTokensNanFromItsPredecessors) {
  Rows rows;
  rows.add(0, 60, 99);
  const Buffer want = attend(kernel(), cache, rows);
  cache.poison(0, 77);
  const Buffer got = attend(kernel(), cache, rows);
  const Check before = check_equal(got.view().rows_from(0, 17), want.view().rows_from(0, 17));
  EXPECT_EQ(before.status, CheckStatus::kPass) << before.detail;
  for (int r = 17; r < 40; ++r) EXPECT_TRUE(std::isnan(got.view().row<float>(r)[Cache::kWidth - 1])) << r;
}

TEST_P(Attentions, MayWriteOverTheQueries) {
  constexpr int kRows = 70;
  const Buffer q(Dtype::kF32, kRows, Cache::kWidth), out(Dtype::kF32, kRows, Cache::kWidth);
  fill_normal(q.view(), 9, 1);
  std::vector<std::int32_t> slot(kRows, 1), position(kRows);
  std::iota(position.begin(), position.end(), 3);
  const Attention::Problem problem{kRows, 1, 1, Cache::kHeads, Cache::kHead, cache.span().dtype};
  Attention::Args args{q.view(), View::of(slot.data(), 1, kRows), View::of(position.data(), 1, kRows),
                       out.view(), cache.span()};
  kernel()(problem, args);
  args.out = q.view();
  kernel()(problem, args);
  EXPECT_EQ(check_equal(q.view(), out.view()).status, CheckStatus::kPass);
}

TEST_P(Attentions, SurviveLargeScores) {
  // All of a key's weight on one token; scores beyond exp's range, and products beyond that of f16.
  for (int t = 0; t < 100; ++t) {
    for (int c = 0; c < 2 * Cache::kWidth; ++c) {
      const float value = t == 40 ? 30000.0f : -30000.0f;
      if (cache.k.view().dtype == Dtype::kF32) cache.k.view().row<float>(t)[c] = value;
      if (cache.k.view().dtype == Dtype::kBf16) cache.k.view().row<bf16>(t)[c] = to_bf16(value);
      if (cache.k.view().dtype == Dtype::kF16) cache.k.view().row<f16>(t)[c] = to_f16(value);
    }
  }
  Rows rows;
  rows.add(0, 80, 99);
  expect_close(attend(kernel(), cache, rows), attend(attention_ref, cache, rows), 1e-4);
}

TEST(AttentionCpuRows, GivesARowTheSameBitsInAnyCompanyAndTeam) {
  const Cache cache(Dtype::kBf16);
  Rows many, one;
  for (int p = 0; p < 290; ++p) many.add(p % 3, p, p);  // more blocks than one pass takes
  one.add(199 % 3, 199, 199);
  const Buffer among_others = attend(attention_cpu_rows, cache, many);
  const int team = omp_get_max_threads();
  for (const int threads : {1, 2, 3, 5, 8}) {  // parts that end with blocks, and some within
    SCOPED_TRACE(threads);
    omp_set_num_threads(threads);
    const Buffer alone = attend(attention_cpu_rows, cache, one),
                 again = attend(attention_cpu_rows, cache, many);
    omp_set_num_threads(team);
    const Check one_row = check_equal(alone.view(), among_others.view().rows_from(199, 1));
    EXPECT_EQ(one_row.status, CheckStatus::kPass) << one_row.detail;
    const Check all = check_equal(again.view(), among_others.view());
    EXPECT_EQ(all.status, CheckStatus::kPass) << all.detail;
  }
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // whose own memory faults
TEST(AttentionCpuRows, TakesNoMoreMemoryWhenSequencesGrow) {
  const Cache cache(Dtype::kBf16);
  const Buffer q(Dtype::kF32, 60, Cache::kWidth), out(Dtype::kF32, 60, Cache::kWidth);
  fill_normal(q.view(), 1, 1);
  const auto faults = [&](const Rows& rows) {
    const int count = static_cast<int>(rows.slot.size());
    rusage before{}, after{};
    getrusage(RUSAGE_THREAD, &before);
    attention_cpu_rows(
        {count, 1, 1, Cache::kHeads, Cache::kHead, Dtype::kBf16},
        {q.view().rows_from(0, count), View::of(rows.slot.data(), 1, count),
         View::of(rows.position.data(), 1, count), out.view().rows_from(0, count), cache.span()});
    getrusage(RUSAGE_THREAD, &after);
    return after.ru_minflt - before.ru_minflt;
  };
  Rows few, many;
  few.add(0, 3, 3);
  many.add(0, 230, 289);
  std::thread([&] {  // with scratch of its own
    omp_set_num_threads(1);
    faults(few);
    EXPECT_LT(faults(many), 8) << "the sums of 120 blocks are 29 pages";
  })
      .join();
}
#endif

TEST(AttentionRef, IsTheFormula) {
  const float q[] = {1, 2}, k[] = {0, 0, std::log(3.0f) * std::sqrt(2.0f), 0, 9, 9}, v[] = {4, 8, 0, 4, 9, 9};
  std::int32_t slot[] = {0}, position[] = {1};
  float out[2];
  attention_ref({1, 1, 3, 1, 2, Dtype::kF32}, {View::of(q, 1, 2),
                                               View::of(slot, 1, 1),
                                               View::of(position, 1, 1),
                                               View::of(out, 1, 2),
                                               {reinterpret_cast<const std::byte*>(k),
                                                reinterpret_cast<const std::byte*>(v), 0, 8, Dtype::kF32}});
  EXPECT_FLOAT_EQ(out[0], 1);  // weights 1/4 and 3/4
  EXPECT_FLOAT_EQ(out[1], 5);
}

TEST(Attention, DeclaresItsCost) {
  const Cost decode = Attention::cost({2, 2, 100, 4, 80, Dtype::kBf16});  // 100 and 99 keys
  EXPECT_EQ(decode.flops, 4 * 199 * 320);
  EXPECT_EQ(decode.bytes_read, 2 * 199 * 320 * 2 + 2 * 4 * (320 + 2));
  EXPECT_EQ(decode.bytes_written, 2 * 4 * 320);
  EXPECT_EQ(Attention::cost({3, 1, 3, 1, 64, Dtype::kF32}).flops, 4 * (1 + 2 + 3) * 64);
}

}  // namespace
}  // namespace trisect::dense
