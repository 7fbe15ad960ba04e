// What the generated tests of the GPU's variants leave out: values at the edge, lengths that grow under a
// captured graph, bits that must not depend on anything else, and which memory is read at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/core/buffer.hpp"
#include "kernels/core/cuda/graph.hpp"
#include "kernels/core/random.hpp"
#include "kernels/vattention/append_cuda.hpp"
#include "kernels/vattention/decode_attention_cuda.hpp"
#include "kernels/vattention/kv_cache.hpp"
#include "tests/kernels/on_device.hpp"

namespace trisect::vattention {
namespace {

using testing::OnDevice;
using Floats = std::vector<float>;
using Integers = std::vector<std::int32_t>;

class CudaOps : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
};

Floats random_floats(std::size_t n, Seed seed, float stddev = 1) {
  Floats values(n);
  fill_normal(View::of(values.data(), 1, static_cast<std::int64_t>(n)), seed, stddev);
  return values;
}

/// Rows of `width`.
View rows_of(float* data, std::size_t n, int width) {
  return View::of(data, static_cast<std::int64_t>(n) / width, width);
}
View list_of(std::int32_t* data, std::size_t n) { return View::of(data, 1, static_cast<std::int64_t>(n)); }

/// Keys and values of bits, [slot][token][heads * head_dim], here and on the device.
struct Cache {
  int slots, tokens, heads, head_dim;
  std::vector<std::uint16_t> k, v;
  OnDevice<std::uint16_t> there_k, there_v;

  Cache(int slot_count, int token_count, int head_count, int size, Dtype type, float stddev = 1)
      : slots(slot_count),
        tokens(token_count),
        heads(head_count),
        head_dim(size),
        k(bits_of(type, 1, stddev)),
        v(bits_of(type, 2, 1)),
        there_k(Device::kCuda, k),
        there_v(Device::kCuda, v),
        dtype_(type) {}

  std::vector<std::uint16_t> bits_of(Dtype type, Seed seed, float stddev) const {
    const Floats values =
        random_floats(static_cast<std::size_t>(slots * tokens * heads * head_dim), seed, stddev);
    std::vector<std::uint16_t> bits(values.size());
    convert(values.data(), Dtype::kF32, bits.data(), type, values.size());
    return bits;
  }
  dense::KvSpan span(const void* keys, const void* values) const {
    const std::int64_t token = 2 * heads * head_dim;
    return {.k = static_cast<const std::byte*>(keys),
            .v = static_cast<const std::byte*>(values),
            .slot = tokens * token,
            .token = token,
            .dtype = dtype_};
  }
  dense::KvSpan here() const { return span(k.data(), v.data()); }
  dense::KvSpan there() const { return span(there_k.get(), there_v.get()); }

 private:
  Dtype dtype_;
};

dense::Attention::Problem problem_of(const Cache& c, int rows, int context) {
  return {rows, c.slots, context, c.heads, c.head_dim, Dtype::kBf16};
}

/// The GPU's result; `kv` is device memory.
Floats attend(const Cache& c, dense::KvSpan kv, Floats q, Integers slot, Integers position, int context,
              bool in_place = false) {
  const int width = c.heads * c.head_dim, rows = static_cast<int>(slot.size());
  Floats out(q.size(), NAN);
  const OnDevice<float> there_q(Device::kCuda, q), there_out(Device::kCuda, out);
  const OnDevice<std::int32_t> there_slot(Device::kCuda, slot), there_position(Device::kCuda, position);
  float* const to = in_place ? there_q.get() : there_out.get();
  decode_attention_cuda(problem_of(c, rows, context),
                        {rows_of(there_q.get(), q.size(), width), list_of(there_slot.get(), slot.size()),
                         list_of(there_position.get(), slot.size()), rows_of(to, q.size(), width), kv});
  cuda_memory().download(out.data(), to, out.size() * sizeof(float));
  return out;
}

Floats reference(const Cache& c, Floats q, Integers slot, Integers position) {
  const int width = c.heads * c.head_dim;
  Floats out(q.size(), NAN);
  dense::Attention::Problem problem = problem_of(c, static_cast<int>(slot.size()), c.tokens);
  problem.dtype = c.here().dtype;
  dense::attention_ref(
      problem, {rows_of(q.data(), q.size(), width), list_of(slot.data(), slot.size()),
                list_of(position.data(), slot.size()), rows_of(out.data(), out.size(), width), c.here()});
  return out;
}

void expect_close(Floats& got, Floats& want, const std::string& what) {
  const auto n = static_cast<std::int64_t>(got.size());
  const Check check = check_close(View::of(got.data(), 1, n), View::of(want.data(), 1, n), 1e-5);
  EXPECT_EQ(check.status, CheckStatus::kPass) << what << ": " << check.detail;
}

TEST_F(CudaOps, LengthsAroundTheBlocksAndTheWarps) {
  Integers slot, position;
  for (const int keys : {1, 2, 7, 8, 9, 31, 32, 33, 40, 127, 128, 129, 160, 255, 256, 257, 300}) {
    slot.push_back(static_cast<int>(slot.size()) % 3);
    position.push_back(keys - 1);
  }
  for (const int head : {64, 80}) {
    const Cache cache(3, 300, 5, head, Dtype::kBf16);
    Floats q = random_floats(slot.size() * static_cast<std::size_t>(5 * head), 3);
    Floats want = reference(cache, q, slot, position);
    Floats got = attend(cache, cache.there(), q, slot, position, 300);
    expect_close(got, want, fmt::format("heads of {}", head));
    EXPECT_EQ(attend(cache, cache.there(), q, slot, position, 300, true), got) << "in place";
    // Not aligned to 16 bytes: element by element.
    Cache odd(3, 300, 5, head, Dtype::kBf16);
    odd.k.insert(odd.k.begin(), 0);
    const OnDevice<std::uint16_t> shifted(Device::kCuda, odd.k);
    dense::KvSpan kv = cache.there();
    kv.k = reinterpret_cast<const std::byte*>(shifted.get() + 1);
    got = attend(cache, kv, q, slot, position, 300);
    expect_close(got, want, fmt::format("heads of {}, unaligned", head));
  }
}

TEST_F(CudaOps, ARowsBitsDependOnNothingElse) {
  const Cache cache(4, 300, 3, 80, Dtype::kBf16);
  const Floats q = random_floats(4 * 240, 3);
  const Integers slot{0, 1, 2, 3}, position{299, 130, 5, 200};
  const Floats together = attend(cache, cache.there(), q, slot, position, 300);
  for (std::size_t r = 0; r < 4; ++r) {
    const auto begin = static_cast<std::ptrdiff_t>(r * 240);
    const Floats own(q.begin() + begin, q.begin() + begin + 240);
    const Floats alone = attend(cache, cache.there(), own, {slot[r]}, {position[r]}, 10000);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + begin)) << "row " << r;
  }
}

TEST_F(CudaOps, PagesGiveTheBitsOfOnePiece) {
  constexpr int kTokens = 288, kPage = 16, kPages = kTokens / kPage;
  const Cache cache(2, kTokens, 3, 80, Dtype::kF16);
  Integers table(2 * kPages);
  Cache paged(2, kTokens, 3, 80, Dtype::kF16);
  const std::size_t page = kPage * 240;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<std::int32_t>((i * 5 + 3) % table.size());
    const auto to = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(table[i]) * page);
    std::copy_n(cache.k.begin() + static_cast<std::ptrdiff_t>(i * page), page, paged.k.begin() + to);
    std::copy_n(cache.v.begin() + static_cast<std::ptrdiff_t>(i * page), page, paged.v.begin() + to);
  }
  const OnDevice<std::uint16_t> k(Device::kCuda, paged.k), v(Device::kCuda, paged.v);
  const OnDevice<std::int32_t> there(Device::kCuda, table);
  dense::KvSpan kv = cache.span(k.get(), v.get());
  kv.slot = kPage * kv.token;
  kv.table = there.get();
  kv.table_stride = kPages;
  kv.page_tokens = kPage;
  const Floats q = random_floats(2 * 240, 3);
  EXPECT_EQ(attend(cache, kv, q, {0, 1}, {287, 150}, 288),
            attend(cache, cache.there(), q, {0, 1}, {287, 150}, 288));
}

TEST_F(CudaOps, ScoresBeyondF16DoNotOverflow) {
  const Cache cache(1, 200, 2, 80, Dtype::kF16, 300);
  const Floats q = random_floats(160, 3, 300);  // products of 1e6 and more
  Floats got = attend(cache, cache.there(), q, {0}, {199}, 200), want = reference(cache, q, {0}, {199});
  for (const float value : got) ASSERT_TRUE(std::isfinite(value));
  expect_close(got, want, "large scores");
}

TEST_F(CudaOps, KeysBeyondTheEndMayHoldAnything) {
  for (const int keys : {1, 33, 130}) {
    Cache cache(1, 200, 2, 64, Dtype::kBf16);
    const Floats q = random_floats(128, 3);
    Floats want = reference(cache, q, {0}, {keys - 1});
    std::fill(cache.k.begin() + keys * 128, cache.k.end(), std::uint16_t{0xffff});
    std::fill(cache.v.begin() + keys * 128, cache.v.end(), std::uint16_t{0xffff});
    const OnDevice<std::uint16_t> k(Device::kCuda, cache.k), v(Device::kCuda, cache.v);
    Floats got = attend(cache, cache.span(k.get(), v.get()), q, {0}, {keys - 1}, 200);
    expect_close(got, want, fmt::format("{} keys", keys));
  }
}

TEST_F(CudaOps, ARowLongerThanPlannedIsNaN) {
  const Cache cache(2, 300, 3, 80, Dtype::kBf16);
  const Floats q = random_floats(2 * 240, 3);
  for (const int context : {100, 200}) {
    const Floats got = attend(cache, cache.there(), q, {0, 1}, {context, 99}, context);
    for (std::size_t i = 0; i < 480; ++i) ASSERT_EQ(std::isnan(got[i]), i < 240) << i;
  }
}

TEST_F(CudaOps, AppendRoundsSpecialValuesAsTheReferenceDoes) {
  Floats special;
  for (const float value :
       {0.0f, -0.0f, 1.0f, 1.00390625f, 1.01171875f, 3.4e38f, 1e-45f, 65519.0f, 65520.0f, INFINITY, -INFINITY,
        std::numeric_limits<float>::quiet_NaN(), -2.5e-8f, 6.1e-5f, 1.0f + 0x1p-11f}) {
    for (int i = 0; i < 16; ++i) special.push_back(value);
  }
  const int n = static_cast<int>(special.size());
  Integers zero{0};
  for (const Dtype type : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
    for (const int width : {n, n - 1}) {  // 16 bytes at a time, and one by one
      std::vector<std::uint32_t> want(special.size(), 0), got = want;
      const View from = View::of(special.data(), 1, width), at = View::of(zero.data(), 1, 1);
      const auto* here = reinterpret_cast<std::byte*>(want.data());
      append_ref({1, 1, 1, 1, width, type}, {from, from, at, at, {here, here, 0, 0, type}, {}, {}});
      const OnDevice<float> rows(Device::kCuda, special);
      const OnDevice<std::int32_t> place(Device::kCuda, zero);
      const OnDevice<std::uint32_t> to(Device::kCuda, got);
      const View there = View::of(rows.get(), 1, width), there_at = View::of(place.get(), 1, 1);
      const auto* data = reinterpret_cast<std::byte*>(to.get());
      append_cuda({1, 1, 1, 1, width, type},
                  {there, there, there_at, there_at, {data, data, 0, 0, type}, {}, {}});
      to.fetch(got);
      EXPECT_EQ(got, want) << name_of(type) << " " << width;
    }
  }
}

/// Decoding on every policy: memory is committed between the replays of one graph, which appends a row for
/// each sequence and attends to all that it has.
class CudaGraph : public ::testing::TestWithParam<KvPolicy> {};
INSTANTIATE_TEST_SUITE_P(All, CudaGraph,
                         ::testing::Values(KvPolicy::kStatic, KvPolicy::kGrowing, KvPolicy::kPaged,
                                           KvPolicy::kVattention),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(CudaGraph, IsReplayedWhileSequencesGrow) {
  if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  constexpr int kHeads = 2, kSize = 80, kWidth = kHeads * kSize, kSlots = 3, kTokens = 150, kLayers = 100;
  const auto cache = make_kv_cache(GetParam(), {.shape = {kLayers, kHeads, kSize, Dtype::kBf16},
                                                .device = Device::kCuda,
                                                .slots = kSlots,
                                                .tokens = kTokens});
  Cache here(kSlots, kTokens, kHeads, kSize, Dtype::kBf16);  // what the sequences should have
  Integers slot, position(kSlots, 0);
  for (int i = 0; i < kSlots; ++i) slot.push_back(cache->acquire(kTokens));
  Floats q(kSlots * kWidth), k(q), v(q), out(q);
  const OnDevice<float> there_q(Device::kCuda, q), there_k(Device::kCuda, k), there_v(Device::kCuda, v),
      there_out(Device::kCuda, out);
  const OnDevice<std::int32_t> there_slot(Device::kCuda, slot), there_position(Device::kCuda, position);
  const auto view = [&](const OnDevice<float>& rows) { return rows_of(rows.get(), q.size(), kWidth); };
  const View slots = list_of(there_slot.get(), kSlots), positions = list_of(there_position.get(), kSlots);

  // Every sequence starts at a length of its own; the rows before are appended step by step, too.
  cache->prepare(slot, position);
  const cuda::Graph graph([&] {
    const dense::KvSpan kv = cache->layer(kLayers - 1);
    append_cuda({kSlots, kTokens, kTokens, kHeads, kSize, Dtype::kBf16},
                {view(there_k), view(there_v), slots, positions, kv, {}, {}});
    decode_attention_cuda({kSlots, kSlots, kTokens, kHeads, kSize, Dtype::kBf16},
                          {view(there_q), slots, positions, view(there_out), kv});
  });
  EXPECT_EQ(graph.nodes(), 3u) << "append, split, merge";
  for (int step = 0; step < kTokens; ++step) {
    for (std::size_t s = 0; s < kSlots; ++s) position[s] = std::max(0, step - static_cast<int>(s) * 7);
    cache->prepare(slot, position);
    const auto seed = static_cast<Seed>(step);
    q = random_floats(q.size(), 10 + 3 * seed), k = random_floats(q.size(), 11 + 3 * seed),
    v = random_floats(q.size(), 12 + 3 * seed);
    append_ref({kSlots, kTokens, kTokens, kHeads, kSize, Dtype::kBf16}, {rows_of(k.data(), k.size(), kWidth),
                                                                         rows_of(v.data(), v.size(), kWidth),
                                                                         list_of(slot.data(), kSlots),
                                                                         list_of(position.data(), kSlots),
                                                                         here.here(),
                                                                         {},
                                                                         {}});
    for (const auto& [to, from] : {std::pair{there_q.get(), &q}, {there_k.get(), &k}, {there_v.get(), &v}})
      cuda_memory().upload(to, from->data(), from->size() * sizeof(float));
    cuda_memory().upload(there_position.get(), position.data(), kSlots * sizeof(std::int32_t));
    graph.launch(cuda::current_stream());
    if (step % 12 != 0 && step < kTokens - 3) continue;
    cuda_memory().download(out.data(), there_out.get(), out.size() * sizeof(float));
    Floats want = reference(here, q, slot, position);
    expect_close(out, want, fmt::format("step {}", step));
  }
  EXPECT_EQ(cache->length(slot[0]), kTokens);
}

}  // namespace
}  // namespace trisect::vattention
