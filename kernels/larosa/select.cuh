// Exact top-k by magnitude inside one block: which entries of a row are kept, with the row in registers.
//
// Idea: magnitudes order like integers, so the k-th largest is found by radix select over their 31 bits, 11
// bits at a time from the top: a histogram in shared memory, a scan over its bins from the largest, and the
// bin that holds rank k is the next 11 bits. 11 bits and not 8: a normal row has its exponents in a handful
// of values, and three bits of the mantissa spread the atomics over eight times as many bins. Nothing moves
// until the threshold is known; then ballots number the kept entries, lower indices first, which settles ties
// and makes the result the same in every run.
//
// Each warp owns a contiguous part of the row, lane after lane, so that reading it and writing what is kept
// are both coalesced. Shared memory: 8 KB of bins and 132 bytes, no bank conflicts but those of atomics on
// equal bins.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace trisect::larosa {

/// Keep what is above `magnitude`, and of its equals those of the lowest indices, `ties` of them.
struct Threshold {
  std::uint32_t magnitude = 0;
  int ties = 0;
};

/// |x| as an integer of the same order; every NaN is one value above infinity. The device's twin of
/// magnitude().
__device__ inline std::uint32_t magnitude_of(float x) {
  return min(__float_as_uint(x) & 0x7fffffffu, 0x7f800001u);
}

/// kThreads a multiple of 32, at most 1024; a row of at most kThreads * kItems entries.
template <int kThreads, int kItems>
class BlockSelect {
 public:
  static constexpr int kCapacity = kThreads * kItems;

  struct Shared {
    std::uint32_t bins[2048];
    std::uint32_t warps[32];
    std::uint32_t digit, above;
  };

  /// Every thread of the block calls everything here. x: one row of n entries, each asked for once: x[i] is a float.
  template <class Row>
  __device__ BlockSelect(Row x, int n, Shared& shared)
      : shared_(shared),
        n_(n),
        items_((n + kThreads - 1) / kThreads),
        base_(threadIdx.x / 32 * items_ * 32 + threadIdx.x % 32) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (is_valid(i)) x_[i] = x[index(i)];
    }
  }

  /// 0 < k <= n.
  __device__ Threshold find(int k) {
    if (k == n_) return {0, n_};
    std::uint32_t prefix = 0;
    int rank = k;
    if (narrow<20, 11>(prefix, rank) || narrow<9, 11>(prefix, rank)) return {prefix - 1, 0};
    narrow<0, 9>(prefix, rank);
    return {prefix, rank};
  }

  /// Calls emit(place, index, value) for every kept entry; places count from zero in the order of indices.
  template <class Emit>
  __device__ void compact(Threshold threshold, Emit emit) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    std::uint32_t count = 0;  // above the threshold, and equal to it in the upper half
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (i >= items_) break;
      const std::uint32_t m = is_valid(i) ? magnitude_of(x_[i]) : 0;
      count += __popc(__ballot_sync(~0u, is_valid(i) && m > threshold.magnitude));
      count += __popc(__ballot_sync(~0u, is_valid(i) && m == threshold.magnitude)) << 16;
    }
    if (lane == 0) shared_.warps[warp] = count;
    __syncthreads();
    std::uint32_t before = lane < warp ? shared_.warps[lane] : 0;
    for (int offset = 16; offset > 0; offset /= 2) before += __shfl_xor_sync(~0u, before, offset);
    int ties = static_cast<int>(before >> 16);
    int place = static_cast<int>(before & 0xffffu) + min(ties, threshold.ties);
    const std::uint32_t lower = (1u << lane) - 1;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (i >= items_) break;
      const std::uint32_t m = is_valid(i) ? magnitude_of(x_[i]) : 0;
      const bool equal = is_valid(i) && m == threshold.magnitude;
      const std::uint32_t equals = __ballot_sync(~0u, equal);
      const bool keep = is_valid(i) && (m > threshold.magnitude ||
                                        (equal && ties + __popc(equals & lower) < threshold.ties));
      const std::uint32_t keeps = __ballot_sync(~0u, keep);
      if (keep) emit(place + __popc(keeps & lower), index(i), x_[i]);
      ties += __popc(equals);
      place += __popc(keeps);
    }
    __syncthreads();  // what follows may use `shared` anew
  }

 private:
  __device__ int index(int i) const { return base_ + i * 32; }
  __device__ bool is_valid(int i) const { return i < items_ && index(i) < n_; }

  /// One more digit of the threshold, among the entries that share the digits found so far. True when all
  /// that share them now are kept: prefix is then the smallest magnitude of all that are.
  template <int kShift, int kBits>
  __device__ bool narrow(std::uint32_t& prefix, int& rank) {
    constexpr int kBins = 1 << kBits;
    constexpr int kEach = (kBins + kThreads - 1) / kThreads;
    for (int b = threadIdx.x; b < kBins; b += kThreads) shared_.bins[b] = 0;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (!is_valid(i)) continue;
      const std::uint32_t m = magnitude_of(x_[i]);
      if (kShift + kBits >= 31 || m >> (kShift + kBits) == prefix) {
        atomicAdd(&shared_.bins[kBins - 1 - (m >> kShift & (kBins - 1))], 1u);  // the largest first
      }
    }
    __syncthreads();
    std::uint32_t mine[kEach], sum = 0;
#pragma unroll
    for (int b = 0; b < kEach; ++b) {
      const int bin = static_cast<int>(threadIdx.x) * kEach + b;
      mine[b] = bin < kBins ? shared_.bins[bin] : 0;
      sum += mine[b];
    }
    std::uint32_t above = exclusive_sum(sum);
    if (above < static_cast<std::uint32_t>(rank) && static_cast<std::uint32_t>(rank) <= above + sum) {
#pragma unroll
      for (int b = 0; b < kEach; ++b) {
        if (above < static_cast<std::uint32_t>(rank) && static_cast<std::uint32_t>(rank) <= above + mine[b]) {
          const std::uint32_t digit = kBins - 1 - (threadIdx.x * kEach + b);
          shared_.digit = digit | (above + mine[b] == static_cast<std::uint32_t>(rank) ? 0x80000000u : 0);
          shared_.above = above;
        }
        above += mine[b];
      }
    }
    __syncthreads();
    const bool whole = shared_.digit >> 31 != 0;
    prefix = prefix << kBits | (shared_.digit & 0x7fffffffu);
    rank -= static_cast<int>(shared_.above);
    if (!whole || kShift == 0 || prefix == 0) return false;
    prefix <<= kShift;
    return true;
  }

  __device__ std::uint32_t exclusive_sum(std::uint32_t value) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    std::uint32_t inclusive = value;
    for (int offset = 1; offset < 32; offset *= 2) {
      const std::uint32_t left = __shfl_up_sync(~0u, inclusive, offset);
      if (lane >= offset) inclusive += left;
    }
    if (lane == 31) shared_.warps[warp] = inclusive;
    __syncthreads();
    std::uint32_t before = lane < warp ? shared_.warps[lane] : 0;
    for (int offset = 16; offset > 0; offset /= 2) before += __shfl_xor_sync(~0u, before, offset);
    return before + inclusive - value;
  }

  Shared& shared_;
  int n_, items_, base_;
  float x_[kItems];
};

}  // namespace trisect::larosa
