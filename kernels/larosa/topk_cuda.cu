// Top-k on the GPU in one block a row: by radix select (select.cuh), and by sorting with CUB, to compare
// with.
//
// Launch: one block a row, any number of rows. A row of up to 16384 entries is held in registers. cuda_radix:
// 1024 threads with up to 16 entries each, read from memory once, through GELU for gelu_topk; 8.3 KB of shared memory. cub_block_sort:
// 512 threads, for sorting 16 keys a thread takes more than the 64 registers that 1024 threads leave; shared
// memory with opt-in, 4 bytes a key and CUB's counters.
#include <cub/block/block_radix_sort.cuh>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/gelu.cuh"
#include "kernels/dense/gelu.hpp"
#include "kernels/larosa/select.cuh"
#include "kernels/larosa/topk_cuda.hpp"

namespace trisect::larosa {
namespace {

constexpr int kThreads = 1024, kSortThreads = 512;

struct Rows {
  const float* x;
  std::int64_t x_stride;
  std::int32_t* index;
  std::int64_t index_stride;
  float* value;
  std::int64_t value_stride;
  int n, k;
};

template <class Select>
__device__ void keep(Select& select, Threshold threshold, const Rows& rows) {
  std::int32_t* const index = rows.index + blockIdx.x * rows.index_stride;
  float* const value = rows.value + blockIdx.x * rows.value_stride;
  select.compact(threshold, [=](int place, int i, float x) {
    index[place] = i;
    value[place] = x;
  });
}

struct AsItIs {
  const float* x;
  __device__ float operator[](int i) const { return x[i]; }
};
struct AfterGelu {
  const float* x;
  __device__ float operator[](int i) const { return dense::gelu(x[i]); }
};

template <int kItems, class Row>
__global__ void __launch_bounds__(kThreads) topk_radix_kernel(Rows rows) {
  using Select = BlockSelect<kThreads, kItems>;
  __shared__ typename Select::Shared shared;
  Select select(Row{rows.x + blockIdx.x * rows.x_stride}, rows.n, shared);
  keep(select, select.find(rows.k), rows);
}

/// Sorts the magnitudes alone; where rank k ends is the threshold, and the kept entries are found as above.
template <int kItems>
__global__ void __launch_bounds__(kSortThreads) topk_sort_kernel(Rows rows) {
  using Select = BlockSelect<kSortThreads, kItems>;
  using Sort = cub::BlockRadixSort<std::uint32_t, kSortThreads, kItems>;
  extern __shared__ std::byte dynamic[];
  __shared__ typename Select::Shared shared;
  __shared__ Threshold threshold;
  __shared__ int larger;
  const float* const x = rows.x + blockIdx.x * rows.x_stride;
  std::uint32_t keys[kItems];
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    const int at = i * kSortThreads + static_cast<int>(threadIdx.x);
    keys[i] = at < rows.n ? magnitude_of(x[at]) : 0;
  }
  Sort(*reinterpret_cast<typename Sort::TempStorage*>(dynamic)).SortDescending(keys, 0, 31);
  if (threadIdx.x == 0) larger = 0;
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    if (static_cast<int>(threadIdx.x) * kItems + i == rows.k - 1) threshold.magnitude = keys[i];
  }
  __syncthreads();
  int mine = 0;
#pragma unroll
  for (int i = 0; i < kItems; ++i) mine += keys[i] > threshold.magnitude;
  atomicAdd(&larger, mine);
  __syncthreads();
  Select select(x, rows.n, shared);
  keep(select, {threshold.magnitude, rows.k - larger}, rows);
}

Rows rows_of(const Topk::Problem& p, const Topk::Args& a) {
  return {a.x.row<float>(), a.x.stride, a.index.row<std::int32_t>(),   a.index.stride, a.value.row<float>(),
          a.value.stride,   p.n,        kept(p.n, p.sparsity_permille)};
}

template <int kItems>
void sort_rows(const Rows& rows, int count, cudaStream_t stream) {
  using Storage = typename cub::BlockRadixSort<std::uint32_t, kSortThreads, kItems>::TempStorage;
  // Asked for at every call: the attribute belongs to the device, and setting it costs less than a launch.
  TRISECT_CUDA_CALL(cudaFuncSetAttribute(topk_sort_kernel<kItems>,
                                         cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(sizeof(Storage))));
  topk_sort_kernel<kItems><<<count, kSortThreads, sizeof(Storage), stream>>>(rows);
  TRISECT_CUDA_LAUNCHED(topk_sort_kernel);
}

void topk_cub_block_sort(const Topk::Problem& p, const Topk::Args& a) {
  const Rows rows = rows_of(p, a);
  if (rows.k == 0 || p.rows == 0) return;
  const cudaStream_t stream = cuda::current_stream().get();
  p.n <= 8 * kSortThreads ? sort_rows<8>(rows, p.rows, stream) : sort_rows<32>(rows, p.rows, stream);
}

template <class Row>
void radix(const Topk::Problem& p, const Topk::Args& a) {
  const Rows rows = rows_of(p, a);
  if (rows.k == 0 || p.rows == 0) return;
  const cudaStream_t stream = cuda::current_stream().get();
  if (p.n <= 4 * kThreads) {
    topk_radix_kernel<4, Row><<<p.rows, kThreads, 0, stream>>>(rows);
  } else {
    topk_radix_kernel<16, Row><<<p.rows, kThreads, 0, stream>>>(rows);
  }
  TRISECT_CUDA_LAUNCHED(topk_radix_kernel);
}

void gelu_topk_two(const Topk::Problem& p, const Topk::Args& a) {
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(p.rows) * static_cast<std::size_t>(p.n);
  float* const after = reinterpret_cast<float*>(cuda::current_stream().scratch(bytes));
  const View y = View::of(after, p.rows, p.n);
  const dense::Gelu::Problem gelu{p.rows, p.n};
  best_variant<dense::Gelu>(gelu, Device::kCuda).run(gelu, {a.x, y});
  topk_cuda_radix(p, {y, a.index, a.value});
}

Availability fits_a_block(const Topk::Problem& p) {
  if (p.n > 16 * kThreads) return {fmt::format("holds rows of at most {} entries", 16 * kThreads)};
  return on_cuda(p);
}

}  // namespace

void topk_cuda_radix(const Topk::Problem& p, const Topk::Args& a) { radix<AsItIs>(p, a); }

std::span<const GeluTopk::Variant> gelu_topk_cuda_variants() {
  static const GeluTopk::Variant table[] = {
      {.name = "cuda_two", .device = Device::kCuda, .available = fits_a_block, .run = gelu_topk_two},
      {.name = "cuda_fused", .device = Device::kCuda, .available = fits_a_block, .run = radix<AfterGelu>},
  };
  return table;
}

std::span<const Topk::Variant> topk_cuda_variants() {
  static const Topk::Variant table[] = {
      {.name = "thrust", .device = Device::kCuda, .available = on_cuda, .run = topk_thrust},
      {.name = "cub_sort", .device = Device::kCuda, .available = on_cuda, .run = topk_cub_sort},
      {.name = "cub_segmented_sort",
       .device = Device::kCuda,
       .available = on_cuda,
       .run = topk_cub_segmented_sort},
      {.name = "cub_device_topk",
     .device = Device::kCuda,
     .available = topk_cub_device_available,
     .run = topk_cub_device},
    {.name = "cub_block_sort",
       .device = Device::kCuda,
       .available = fits_a_block,
       .run = topk_cub_block_sort},
      {.name = "cuda_radix", .device = Device::kCuda, .available = fits_a_block, .run = topk_cuda_radix},
  };
  return table;
}

}  // namespace trisect::larosa
