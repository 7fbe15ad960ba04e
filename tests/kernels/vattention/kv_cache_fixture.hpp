// Caches for the tests of all policies, and sequences whose bytes say whose they are.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <optional>

#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "kernels/vattention/kv_cache.hpp"

namespace trisect::vattention {

inline constexpr KvPolicy kAll[] = {KvPolicy::kStatic, KvPolicy::kLazy,       KvPolicy::kGrowing,
                                    KvPolicy::kPaged,  KvPolicy::kVattention, KvPolicy::kTracked};

/// A token of 3 layers of 2 heads of 40 bf16: 480 bytes, no multiple of a page.
inline KvOptions small() {
  return {
      .shape = {.layers = 3, .heads = 2, .head_dim = 40, .dtype = Dtype::kBf16}, .slots = 4, .tokens = 100};
}

/// Tokens [length, to) of a slot.
inline void extend(KvCache& cache, int slot, int to) {
  const auto count = static_cast<std::size_t>(to - cache.length(slot));
  std::vector<std::int32_t> slots(count, slot), positions(count);
  std::iota(positions.begin(), positions.end(), cache.length(slot));
  cache.prepare(slots, positions);
}

inline std::byte* row(const dense::KvSpan& kv, const std::byte* base, int slot, int token) {
  return const_cast<std::byte*>(base) + kv.offset(slot, token);
}

/// Calls body(row, bytes) for the keys and the values of a token in every layer.
template <class Body>
void each_row(const KvCache& cache, const KvShape& shape, int slot, int token, const Body& body) {
  for (int layer = 0; layer < shape.layers; ++layer) {
    const dense::KvSpan kv = cache.layer(layer);
    body(row(kv, kv.k, slot, token), 2 * layer);
    body(row(kv, kv.v, slot, token), 2 * layer + 1);
  }
}

/// What a token of a sequence holds in one of its rows: never zero, and different everywhere.
inline std::uint8_t mark(std::uint64_t sequence, int token, int part) {
  return static_cast<std::uint8_t>(1 + random_bits(sequence, static_cast<std::uint64_t>(token * 64 + part)) %
                                           255);
}

inline void write(const KvCache& cache, const KvShape& shape, int slot, int token, std::uint64_t sequence) {
  each_row(cache, shape, slot, token,
           [&](std::byte* at, int part) { std::memset(at, mark(sequence, token, part), shape.row_bytes()); });
}

inline ::testing::AssertionResult holds(const KvCache& cache, const KvShape& shape, int slot, int token,
                                        std::optional<std::uint64_t> sequence) {
  ::testing::AssertionResult result = ::testing::AssertionSuccess();
  each_row(cache, shape, slot, token, [&](const std::byte* at, int part) {
    const std::byte want{sequence ? mark(*sequence, token, part) : std::uint8_t{0}};
    for (std::size_t i = 0; i < shape.row_bytes(); ++i) {
      if (at[i] != want && result) {
        result = ::testing::AssertionFailure()
                 << "token " << token << " of slot " << slot << ", part " << part << ", byte " << i << ": "
                 << int(at[i]) << " instead of " << int(want);
      }
    }
  });
  return result;
}

inline void expect_kernel_agrees(const KvCache& cache) {
  cache.settle();
  EXPECT_EQ(cache.usage().committed, cache.resident());
}

/// A token of 4 layers of 4 heads of 64 bf16: 2048 bytes of keys, half a small page.
inline KvOptions interleaved(Granule granule) {
  KvOptions options{
      .shape = {.layers = 4, .heads = 4, .head_dim = 64, .dtype = Dtype::kBf16}, .slots = 6, .tokens = 4096};
  options.granule = granule;
  return options;
}

/// On both granules, where the machine has them.
class Granules : public ::testing::TestWithParam<Granule> {
 protected:
  void SetUp() override {
    if (GetParam() == Granule::kHuge && !has_huge_pages()) GTEST_SKIP() << has_huge_pages().why_not;
  }
  std::size_t granule() const { return bytes_of(GetParam()); }
};

}  // namespace trisect::vattention
