// Choosing tokens on the GPU, one block a row, without sorting.
//
// Idea: with weights that are integers (sampling_weight.hpp) the order of adding them up does not matter, so
// the token at a given part of the sorted tokens' mass can be found as radix select finds a rank: a histogram
// of weights over the highest eight bits of the distance, then over the next eight among those that fall into
// the bin, four times. It is done twice, to find where the nucleus ends and the token that is drawn; the
// first histogram serves both. Among equal distances the index decides.
//
// Launch: 1024 threads, a block a row; distances (4 bytes a logit) go to scratch memory. Shared memory 5.2
// KB. A row of 51200 logits is read once for argmax; up to ten times, mostly from the second-level cache, for
// a draw.
#include <cub/block/block_reduce.cuh>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/sample.hpp"
#include "kernels/dense/sampling_weight.hpp"

namespace trisect::dense {
namespace {

constexpr int kThreads = 1024, kWarps = kThreads / 32, kBins = 256;
constexpr int kBinsOfLane = kBins / 32;
using Sum = unsigned long long;  // as atomicAdd takes it

struct Row {
  const float* logits;
  std::uint32_t* distance;
  int n;
};

/// Where a part of the mass ends.
struct Place {
  std::uint32_t distance;
  Sum before;  // the weight of all that is nearer
};

struct Shared {
  Sum first[kBins], bins[kBins];
  Place place;
  Sum total;
  int count[kWarps];
};

/// Larger for larger logits and, among equals, for lower indices; 0 for what cannot be chosen.
__device__ Sum rank_of(float logit, int index) {
  if (!(logit > -INFINITY)) return 0;
  const std::uint32_t bits = __float_as_uint(logit + 0.0f);  // without a zero's sign
  const std::uint32_t ordered = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
  return Sum{ordered} << 32 | static_cast<std::uint32_t>(~index);
}

/// The index of the largest, for all threads; -1 where there is none.
__device__ int largest_of(const Row& row) {
  using Reduce = cub::BlockReduce<Sum, kThreads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ int result;
  Sum best = 0;
  for (int i = static_cast<int>(threadIdx.x); i < row.n; i += kThreads)
    best = max(best, rank_of(row.logits[i], i));
  best = Reduce(storage).Reduce(best, [](Sum a, Sum b) { return a > b ? a : b; });
  if (threadIdx.x == 0) result = best == 0 ? -1 : static_cast<int>(~static_cast<std::uint32_t>(best));
  __syncthreads();
  return result;
}

__device__ void clear(Sum* bins) {
  if (threadIdx.x < kBins) bins[threadIdx.x] = 0;
  __syncthreads();
}

/// One warp.
__device__ void add_up(Shared& shared) {
  Sum sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < kBins; i += 32) sum += shared.first[i];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  if (threadIdx.x == 0) shared.total = sum;
}

/// One warp: the bin in which the `wanted`-th unit of weight lies, counted from 0, and what lies before it.
__device__ void choose_bin(const Sum* bins, Sum wanted, int shift, Place& place) {
  const int lane = static_cast<int>(threadIdx.x);
  Sum sum = 0;
  for (int i = 0; i < kBinsOfLane; ++i) sum += bins[lane * kBinsOfLane + i];
  Sum until = sum;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const Sum other = __shfl_up_sync(~0u, until, step);
    if (lane >= step) until += other;
  }
  Sum before = place.before + until - sum;
  __syncwarp();
  if (wanted < before || wanted >= before + sum) return;
  int bin = lane * kBinsOfLane;
  for (; wanted >= before + bins[bin]; ++bin) before += bins[bin];
  place = {place.distance | static_cast<std::uint32_t>(bin) << shift, before};
}

/// The place of that unit, for all threads. The first histogram is shared.first.
__device__ Place find(const Row& row, Sum wanted, Shared& shared) {
  __syncthreads();  // all have read what was found before
  if (threadIdx.x == 0) shared.place = {0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) {
    const Sum* const bins = shift == 24 ? shared.first : shared.bins;
    if (shift < 24) {
      clear(shared.bins);
      const std::uint32_t prefix = shared.place.distance >> (shift + 8);
      for (int i = static_cast<int>(threadIdx.x); i < row.n; i += kThreads) {
        const std::uint32_t distance = row.distance[i];
        if (distance >> (shift + 8) != prefix) continue;
        if (const Sum weight = weight_of(distance); weight > 0)
          atomicAdd(&shared.bins[distance >> shift & (kBins - 1)], weight);
      }
    }
    __syncthreads();
    if (threadIdx.x < 32) choose_bin(bins, wanted, shift, shared.place);
    __syncthreads();
  }
  return shared.place;
}

/// Among those at this distance the one of that number, in the order of their indices. There is one.
__device__ void write_chosen(const Row& row, std::uint32_t distance, int number, std::int32_t* id,
                             Shared& shared) {
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int each = (row.n + kThreads - 1) / kThreads * 32, first = warp * each;
  const auto is_equal = [&](int i) { return i < row.n && row.distance[i] == distance; };
  int count = 0;
  for (int i = first + lane; i < first + each; i += 32) count += __popc(__ballot_sync(~0u, is_equal(i)));
  if (lane == 0) shared.count[warp] = count;
  __syncthreads();
  for (int w = 0; w < warp; ++w) number -= shared.count[w];
  if (number < 0 || number >= count) return;
  for (int i = first + lane;; i += 32) {
    const std::uint32_t equal = __ballot_sync(~0u, is_equal(i));
    const int here = __popc(equal);
    if (number < here) {
      if (is_equal(i) && __popc(equal & ((1u << lane) - 1)) == number) *id = i;
      return;
    }
    number -= here;
  }
}

__global__ void __launch_bounds__(kThreads)
    sample_kernel(const float* logits, std::int64_t stride, int n, float scale, float top_p,
                  const std::int32_t* low, const std::int32_t* high, std::uint32_t* distances,
                  std::int32_t* ids) {
  __shared__ Shared shared;
  const std::int64_t r = blockIdx.x;
  const Row row{logits + r * stride, distances + r * n, n};
  const int best = largest_of(row);
  const float largest = best < 0 ? INFINITY : row.logits[best];
  if (isinf(scale) || isinf(largest)) {
    if (threadIdx.x == 0) ids[r] = best;
    return;
  }

  clear(shared.first);
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kThreads) {
    const std::uint32_t distance = distance_of(row.logits[i], largest, scale);
    row.distance[i] = distance;
    if (const Sum weight = weight_of(distance); weight > 0) atomicAdd(&shared.first[distance >> 24], weight);
  }
  __syncthreads();
  if (threadIdx.x < 32) add_up(shared);
  __syncthreads();
  Sum mass = shared.total;
  if (const Sum wanted = nucleus_of(mass, top_p); wanted < mass) {
    const Place end = find(row, wanted - 1, shared);
    const Sum weight = weight_of(end.distance);
    mass = end.before + ((wanted - 1 - end.before) / weight + 1) * weight;
  }
  const Sum bits = Sum{static_cast<std::uint32_t>(high[r])} << 32 | static_cast<std::uint32_t>(low[r]);
  const Sum wanted = high_product(bits, mass);
  const Place place = find(row, wanted, shared);
  write_chosen(row, place.distance, static_cast<int>((wanted - place.before) / weight_of(place.distance)),
               ids + r, shared);
}

void sample_cuda(const Sample::Problem& p, const Sample::Args& a) {
  if (p.rows == 0) return;
  const float scale = a.temperature == 0 ? INFINITY : scale_of(a.temperature);
  const std::size_t bytes =
      sizeof(std::uint32_t) * static_cast<std::size_t>(p.rows) * static_cast<std::size_t>(p.n);
  cuda::Stream& stream = cuda::current_stream();
  auto* const distances =
      std::isinf(scale) ? nullptr : reinterpret_cast<std::uint32_t*>(stream.scratch(bytes));
  sample_kernel<<<p.rows, kThreads, 0, stream.get()>>>(
      a.logits.row<float>(), a.logits.stride, p.n, scale, a.top_p, a.bits.row<std::int32_t>(0),
      a.bits.row<std::int32_t>(1), distances, a.id.row<std::int32_t>());
  TRISECT_CUDA_LAUNCHED(sample_kernel);
}

}  // namespace

std::span<const Sample::Variant> sample_cuda_variants() {
  static const Sample::Variant table[] = {
      {.name = "cuda_block", .device = Device::kCuda, .available = on_cuda, .run = sample_cuda}};
  return table;
}

}  // namespace trisect::dense
