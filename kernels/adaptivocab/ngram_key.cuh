// What the kernels that count n-grams share.
#pragma once

#include "kernels/adaptivocab/ngram_count_cuda.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"

namespace trisect::adaptivocab {

inline constexpr int kNgramThreads = 256;

inline unsigned blocks_for(std::int64_t items) {
  return static_cast<unsigned>((items + kNgramThreads - 1) / kNgramThreads);
}

__device__ inline std::int64_t ngram_item() { return std::int64_t{blockIdx.x} * kNgramThreads + threadIdx.x; }

/// The key of the n-gram at a place, `none` where there is none.
__device__ inline std::uint64_t key_at(const NgramKeys& keys, std::int64_t place, std::uint64_t none) {
  const std::int32_t prefix = keys.index[place], last = keys.ids[place + keys.length - 1];
  if (prefix == NgramKeys::kRarePlace || (keys.flags[last] & (kBarrier | kStartsWord)) != 0) return none;
  return static_cast<std::uint64_t>(prefix) << keys.token_bits | static_cast<std::uint32_t>(last);
}

/// Calls a function of CUB's: once for the size of the memory that it wants, once with it.
template <class Call>
void with_memory(const Call& call) {
  std::size_t bytes = 0;
  TRISECT_CUDA_CALL(call(nullptr, bytes));
  const cuda::DeviceBuffer memory(bytes);
  TRISECT_CUDA_CALL(call(memory.data(), bytes));
  cuda::current_stream().wait();  // before the memory goes
}

}  // namespace trisect::adaptivocab
