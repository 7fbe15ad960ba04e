// KV caches in device memory, written to and read by tests.
#pragma once

#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "kernels/vattention/kv_cache.hpp"

namespace trisect::vattention {

/// A token of 2 layers of 48 heads of 80 f32, 30720 bytes: 68 tokens and a bit fill a granule of 2 MiB.
inline KvOptions large() {
  return {.shape = {.layers = 2, .heads = 48, .head_dim = 80, .dtype = Dtype::kF32},
          .device = Device::kCuda,
          .slots = 4,
          .tokens = 300};
}

inline void extend(KvCache& cache, int slot, int to) {
  const auto count = static_cast<std::size_t>(to - cache.length(slot));
  std::vector<std::int32_t> slots(count, slot), positions(count);
  std::iota(positions.begin(), positions.end(), cache.length(slot));
  cache.prepare(slots, positions);
}

/// KvSpan::offset() where the table is on the device.
inline std::int64_t offset(const dense::KvSpan& kv, int slot, int token) {
  if (kv.table == nullptr) return kv.offset(slot, token);
  std::int32_t page = 0;
  cuda_memory().download(&page, kv.table + slot * kv.table_stride + token / kv.page_tokens, sizeof page);
  return page * kv.slot + token % kv.page_tokens * kv.token;
}

/// Calls body(row, part) for the keys and the values of a token in every layer.
template <class Body>
void each_row(const KvCache& cache, const KvShape& shape, int slot, int token, const Body& body) {
  for (int layer = 0; layer < shape.layers; ++layer) {
    const dense::KvSpan kv = cache.layer(layer);
    const std::int64_t at = offset(kv, slot, token);
    body(const_cast<std::byte*>(kv.k) + at, 2 * layer);
    body(const_cast<std::byte*>(kv.v) + at, 2 * layer + 1);
  }
}

inline std::uint8_t mark(std::uint64_t sequence, int token, int part) {
  return static_cast<std::uint8_t>(1 + random_bits(sequence, static_cast<std::uint64_t>(token * 64 + part)) %
                                           255);
}

/// Queued, as a kernel would.
inline void write(const KvCache& cache, const KvShape& shape, int slot, int token, std::uint64_t sequence) {
  each_row(cache, shape, slot, token, [&](std::byte* at, int part) {
    TRISECT_CUDA_CALL(
        cudaMemsetAsync(at, mark(sequence, token, part), shape.row_bytes(), cuda::current_stream().get()));
  });
}

inline ::testing::AssertionResult holds(const KvCache& cache, const KvShape& shape, int slot, int token,
                                        std::optional<std::uint64_t> sequence) {
  ::testing::AssertionResult result = ::testing::AssertionSuccess();
  std::vector<std::byte> row(shape.row_bytes());
  each_row(cache, shape, slot, token, [&](const std::byte* at, int part) {
    const std::byte want{sequence ? mark(*sequence, token, part) : std::uint8_t{0}};
    cuda_memory().download(row.data(), at, row.size());
    for (std::size_t i = 0; i < row.size() && result; ++i) {
      if (row[i] != want) {
        result = ::testing::AssertionFailure()
                 << "token " << token << " of slot " << slot << ", part " << part << ", byte " << i << ": "
                 << int(row[i]) << " instead of " << int(want);
      }
    }
  });
  return result;
}

inline void expect_driver_agrees(const KvCache& cache) {
  cache.settle();
  EXPECT_EQ(cache.usage().committed, cache.resident());
}

}  // namespace trisect::vattention
