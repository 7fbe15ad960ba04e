// New rows of an embedding: a block for 16 bytes a thread of one row, each part's row read in the same
// pieces. New columns of a head: a thread for each, the values of its parts gathered from one row of the
// head, which stays in the second-level cache (51200 tokens in bf16 are 100 KB).
//
// Launch: 128 threads. Rows: grid (entries, pieces of a row). Columns: grid (entries / 128, hidden).
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/adaptivocab/embedding_init_cuda.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/narrow.cuh"
#include "kernels/dense/row_product.cuh"

namespace trisect::adaptivocab {
namespace {

using dense::narrow;
using dense::Pack;
using dense::widened;

constexpr int kThreads = 128;
constexpr std::int64_t kMostRows = 65535;  // of a grid

struct Parts {
  const std::int32_t* ids;
  const float* weights;
  std::int64_t ids_stride, weights_stride;
  int entries, n;

  __device__ const std::int32_t* of(std::int64_t entry) const { return ids + entry * ids_stride; }
  __device__ int length(const std::int32_t* part) const {
    int length = 0;
    while (length < n && part[length] != -1) ++length;
    return length;
  }
};

struct Tables {
  const void* from;
  void* to;
  std::int64_t from_stride, to_stride;
  int hidden;
};

/// The first entry with a part outside the vocabulary, or none at all.
__global__ void __launch_bounds__(kThreads) embedding_check_kernel(Parts parts, int vocab, int* bad) {
  const int entry = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (entry >= parts.entries) return;
  const std::int32_t* const part = parts.of(entry);
  const int length = parts.length(part);
  bool good = length > 0;
  for (int k = 0; k < length; ++k) good = good && part[k] >= 0 && part[k] < vocab;
  if (!good) atomicMin(bad, entry);
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads) embedding_rows_kernel(Parts parts, Tables tables) {
  const int at = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) * kVector;
  if (at >= tables.hidden) return;
  const std::int64_t entry = blockIdx.x;
  const std::int32_t* const part = parts.of(entry);
  const int length = parts.length(part);
  const float* const weight = parts.weights + length * parts.weights_stride;
  float sum[kVector] = {};
  for (int k = 0; k < length; ++k) {
    const T* const row = static_cast<const T*>(tables.from) + part[k] * tables.from_stride + at;
    const auto pack = *reinterpret_cast<const Pack<T, kVector>*>(row);
#pragma unroll
    for (int i = 0; i < kVector; ++i) sum[i] = fmaf(weight[k], widened(pack.element[i]), sum[i]);
  }
  Pack<T, kVector> out;
#pragma unroll
  for (int i = 0; i < kVector; ++i) narrow(sum[i], out.element[i]);
  *reinterpret_cast<Pack<T, kVector>*>(static_cast<T*>(tables.to) + entry * tables.to_stride + at) = out;
}

template <class T>
__global__ void __launch_bounds__(kThreads) embedding_columns_kernel(Parts parts, Tables tables) {
  const int entry = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (entry >= parts.entries) return;
  const std::int32_t* const part = parts.of(entry);
  const int length = parts.length(part);
  const float* const weight = parts.weights + length * parts.weights_stride;
  for (std::int64_t h = blockIdx.y; h < tables.hidden; h += gridDim.y) {
    const T* const row = static_cast<const T*>(tables.from) + h * tables.from_stride;
    float sum = 0;
    for (int k = 0; k < length; ++k) sum = fmaf(weight[k], widened(row[part[k]]), sum);
    narrow(sum, (static_cast<T*>(tables.to) + h * tables.to_stride)[entry]);
  }
}

unsigned pieces(std::int64_t items, std::int64_t each) {
  return static_cast<unsigned>((items + each - 1) / each);
}

/// Throws what the CPU throws, before anything is written.
void check_parts(const EmbeddingInit::Problem& p, const EmbeddingInit::Args& a, const Parts& parts) {
  cuda::Stream& stream = cuda::current_stream();
  int* const bad = reinterpret_cast<int*>(stream.scratch(sizeof(int)));
  int first = std::numeric_limits<int>::max();
  cuda_memory().upload(bad, &first, sizeof first);
  embedding_check_kernel<<<pieces(p.entries, kThreads), kThreads, 0, stream.get()>>>(parts, p.vocab, bad);
  TRISECT_CUDA_LAUNCHED(embedding_check_kernel);
  cuda_memory().download(&first, bad, sizeof first);
  if (first >= p.entries) return;
  std::vector<std::int32_t> ids(static_cast<std::size_t>(p.n));
  cuda_memory().download(ids.data(), a.part.row<std::int32_t>(first), ids.size() * sizeof(std::int32_t));
  check_parts_of(first, {ids.begin(), std::find(ids.begin(), ids.end(), -1)}, p.vocab);
}

template <class T>
void launch(const EmbeddingInit::Problem& p, const EmbeddingInit::Args& a, const Parts& parts) {
  constexpr int kVector = 16 / sizeof(T);
  const cudaStream_t stream = cuda::current_stream().get();
  const Tables tables{a.table.data, a.y.data, a.table.stride, a.y.stride, p.hidden};
  if (p.is_head != 0) {
    const dim3 grid(pieces(p.entries, kThreads),
                    static_cast<unsigned>(std::min<std::int64_t>(p.hidden, kMostRows)));
    embedding_columns_kernel<T><<<grid, kThreads, 0, stream>>>(parts, tables);
    TRISECT_CUDA_LAUNCHED(embedding_columns_kernel);
    return;
  }
  const auto addresses =
      reinterpret_cast<std::uintptr_t>(tables.from) | reinterpret_cast<std::uintptr_t>(tables.to);
  const bool wide = addresses % 16 == 0 && (tables.from_stride | tables.to_stride | p.hidden) % kVector == 0;
  const dim3 grid(static_cast<unsigned>(p.entries), pieces(p.hidden, kThreads * (wide ? kVector : 1)));
  wide ? embedding_rows_kernel<T, kVector><<<grid, kThreads, 0, stream>>>(parts, tables)
       : embedding_rows_kernel<T, 1><<<grid, kThreads, 0, stream>>>(parts, tables);
  TRISECT_CUDA_LAUNCHED(embedding_rows_kernel);
}

}  // namespace

void embedding_init_cuda(const EmbeddingInit::Problem& p, const EmbeddingInit::Args& a) {
  if (p.entries == 0 || p.hidden == 0) return;
  const Parts parts{
      a.part.row<std::int32_t>(), a.weight.row<float>(), a.part.stride, a.weight.stride, p.entries, p.n};
  check_parts(p, a, parts);
  switch (p.dtype) {
    case Dtype::kF32:
      return launch<float>(p, a, parts);
    case Dtype::kBf16:
      return launch<bf16>(p, a, parts);
    case Dtype::kF16:
      return launch<f16>(p, a, parts);
    case Dtype::kI32:
      usage_error("{}: an embedding of i32", EmbeddingInit::name);
  }
}

std::span<const EmbeddingInit::Variant> embedding_init_cuda_variants() {
  static const EmbeddingInit::Variant table[] = {
      {.name = "cuda_rows", .device = Device::kCuda, .available = on_cuda, .run = embedding_init_cuda},
  };
  return table;
}

}  // namespace trisect::adaptivocab
