// The small operations of a layer on the GPU: LayerNorm, GELU, rotary embedding, the embedding's rows.
// Activations are a few rows that lie in the second-level cache, so each is one launch of little work; what
// counts is that none of them leaves the device.
//
// Launch: 256 threads. layernorm: a block a row, which reads it three times; 32 bytes of shared memory. gelu,
// rope: an element or a pair a thread, grid.y the row. embedding: grid.y the row.
#include <cub/block/block_reduce.cuh>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/elementwise_cuda.hpp"
#include "kernels/dense/gelu.cuh"
#include "kernels/dense/row_product.cuh"

namespace trisect::dense {
namespace {

constexpr int kThreads = 256;

dim3 grid(std::int64_t items, int rows) {
  return {static_cast<unsigned>((items + kThreads - 1) / kThreads), static_cast<unsigned>(rows)};
}

cudaStream_t stream() { return cuda::current_stream().get(); }

/// The sum over the block, for all of its threads.
__device__ float sum_of_all(float value) {
  using Reduce = cub::BlockReduce<float, kThreads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ float total;
  const float sum = Reduce(storage).Sum(value);
  if (threadIdx.x == 0) total = sum;
  __syncthreads();
  const float result = total;
  __syncthreads();  // the next sum uses the same memory
  return result;
}

__global__ void __launch_bounds__(kThreads)
    layernorm_kernel(const float* x, std::int64_t x_stride, const float* gain, const float* bias, float* y,
                     std::int64_t y_stride, int n, float eps) {
  x += blockIdx.x * x_stride;
  y += blockIdx.x * y_stride;
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += kThreads) sum += x[i];
  const float mean = sum_of_all(sum) / static_cast<float>(n);
  float squares = 0;
  for (int i = threadIdx.x; i < n; i += kThreads) squares = fmaf(x[i] - mean, x[i] - mean, squares);
  const float scale = rsqrtf(sum_of_all(squares) / static_cast<float>(n) + eps);
  for (int i = threadIdx.x; i < n; i += kThreads) y[i] = fmaf((x[i] - mean) * scale, gain[i], bias[i]);
}

__global__ void __launch_bounds__(kThreads)
    gelu_kernel(const float* x, std::int64_t x_stride, float* y, std::int64_t y_stride, int n) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i >= n) return;
  y[blockIdx.y * y_stride + i] = gelu(x[blockIdx.y * x_stride + i]);
}

__global__ void __launch_bounds__(kThreads)
    rope_kernel(float* x, std::int64_t stride, const std::int32_t* position, const float* table,
                std::int64_t table_stride, int positions, int pairs, int head_dim, int half) {
  const int pair = static_cast<int>(blockIdx.x * kThreads + threadIdx.x), at = position[blockIdx.y];
  if (pair >= pairs) return;
  const int i = pair % half;
  const bool is_known = at >= 0 && at < positions;
  const float* const row = table + (is_known ? at : 0) * table_stride;
  const float cosine = is_known ? row[i] : NAN, sine = is_known ? row[half + i] : NAN;
  float* const first = x + blockIdx.y * stride + static_cast<std::int64_t>(pair / half) * head_dim + i;
  const float a = first[0], b = first[half];
  first[0] = a * cosine - b * sine;
  first[half] = a * sine + b * cosine;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    embedding_kernel(const T* table, std::int64_t table_stride, std::int64_t vocab, const std::int32_t* token,
                     float* y, std::int64_t y_stride, int n) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x), id = token[blockIdx.y];
  if (i >= n) return;
  y[blockIdx.y * y_stride + i] = id >= 0 && id < vocab ? widened(table[id * table_stride + i]) : NAN;
}

void layernorm_cuda(const Layernorm::Problem& p, const Layernorm::Args& a) {
  if (p.rows == 0) return;
  layernorm_kernel<<<p.rows, kThreads, 0, stream()>>>(a.x.row<float>(), a.x.stride, a.gain.row<float>(),
                                                      a.bias.row<float>(), a.y.row<float>(), a.y.stride, p.n,
                                                      a.eps);
  TRISECT_CUDA_LAUNCHED(layernorm_kernel);
}

void gelu_cuda(const Gelu::Problem& p, const Gelu::Args& a) {
  if (p.rows == 0) return;
  gelu_kernel<<<grid(p.n, p.rows), kThreads, 0, stream()>>>(a.x.row<float>(), a.x.stride, a.y.row<float>(),
                                                            a.y.stride, p.n);
  TRISECT_CUDA_LAUNCHED(gelu_kernel);
}

void rope_cuda(const Rope::Problem& p, const Rope::Args& a) {
  const int half = p.rotary / 2, pairs = p.heads * half;
  if (p.rows == 0 || pairs == 0) return;
  rope_kernel<<<grid(pairs, p.rows), kThreads, 0, stream()>>>(
      a.x.row<float>(), a.x.stride, a.position.row<std::int32_t>(), a.table.row<float>(), a.table.stride,
      static_cast<int>(a.table.rows), pairs, p.head_dim, half);
  TRISECT_CUDA_LAUNCHED(rope_kernel);
}

template <class T>
void embed(const Embedding::Problem& p, const Embedding::Args& a) {
  embedding_kernel<<<grid(p.n, p.rows), kThreads, 0, stream()>>>(a.table.row<T>(), a.table.stride,
                                                                 a.table.rows, a.token.row<std::int32_t>(),
                                                                 a.y.row<float>(), a.y.stride, p.n);
  TRISECT_CUDA_LAUNCHED(embedding_kernel);
}

void embedding_cuda(const Embedding::Problem& p, const Embedding::Args& a) {
  if (p.rows == 0) return;
  switch (a.table.dtype) {
    case Dtype::kF32:
      return embed<float>(p, a);
    case Dtype::kBf16:
      return embed<bf16>(p, a);
    case Dtype::kF16:
      return embed<f16>(p, a);
    case Dtype::kI32:
      usage_error("{}: a table of i32", Embedding::name);
  }
}

}  // namespace

template <class Op>
using VariantFor = VariantOf<typename Op::Problem, typename Op::Args>;

std::span<const VariantFor<Layernorm>> layernorm_cuda_variants() {
  static const VariantFor<Layernorm> table[] = {
      {.name = "cuda_block", .device = Device::kCuda, .available = on_cuda, .run = layernorm_cuda}};
  return table;
}
std::span<const VariantFor<Gelu>> gelu_cuda_variants() {
  static const VariantFor<Gelu> table[] = {
      {.name = "cuda_elements", .device = Device::kCuda, .available = on_cuda, .run = gelu_cuda}};
  return table;
}
std::span<const VariantFor<Rope>> rope_cuda_variants() {
  static const VariantFor<Rope> table[] = {
      {.name = "cuda_pairs", .device = Device::kCuda, .available = on_cuda, .run = rope_cuda}};
  return table;
}
std::span<const VariantFor<Embedding>> embedding_cuda_variants() {
  static const VariantFor<Embedding> table[] = {
      {.name = "cuda_rows", .device = Device::kCuda, .available = on_cuda, .run = embedding_cuda}};
  return table;
}

}  // namespace trisect::dense
