// Rotary embedding and append in one launch: keys are turned on their way to the cache.
//
// Launch: a block for each head of each row, a thread for each element of a head, in whole warps. A thread of
// the rotated half turns its pair of the query and of the key; the others copy. No shared memory.
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/narrow.cuh"
#include "kernels/vattention/kv_place.cuh"
#include "kernels/vattention/rope_append.hpp"

namespace trisect::vattention {
namespace {

constexpr int kMostThreads = 256;

struct Rows {
  float* query_key;
  const float* values;
  std::int64_t query_key_stride, values_stride;  // elements
  const std::int32_t *slot, *position;
  const float* table;
  std::int64_t table_stride;
  int positions, width, head_dim, half;
  dense::KvSpan kv;
};

template <class T>
__global__ void __launch_bounds__(kMostThreads) rope_append_kernel(Rows rows) {
  const int i = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.y);
  if (i >= rows.head_dim) return;
  const int head = static_cast<int>(blockIdx.x) * rows.head_dim, at = rows.position[row];
  float* const query = rows.query_key + row * rows.query_key_stride + head;
  const float* const key = query + rows.width;
  const std::int64_t place = place_of(rows.kv, rows.slot[row], at);
  T* const to_k = reinterpret_cast<T*>(const_cast<std::byte*>(rows.kv.k) + place) + head;
  T* const to_v = reinterpret_cast<T*>(const_cast<std::byte*>(rows.kv.v) + place) + head;
  dense::narrow(rows.values[row * rows.values_stride + head + i], to_v[i]);
  const int half = rows.half;
  if (i >= 2 * half) dense::narrow(key[i], to_k[i]);
  if (i >= half) return;
  const bool is_known = at >= 0 && at < rows.positions;
  const float* const angle = rows.table + (is_known ? at : 0) * rows.table_stride;
  const float cosine = is_known ? angle[i] : NAN, sine = is_known ? angle[half + i] : NAN;
  const float a = query[i], b = query[half + i];
  query[i] = a * cosine - b * sine;
  query[half + i] = a * sine + b * cosine;
  dense::narrow(key[i] * cosine - key[half + i] * sine, to_k[i]);
  dense::narrow(key[i] * sine + key[half + i] * cosine, to_k[half + i]);
}

template <class T>
void launch(const RopeAppend::Problem& p, const RopeAppend::Args& a) {
  const Rows rows{a.query_key.row<float>(),
                  a.values.row<float>(),
                  a.query_key.stride,
                  a.values.stride,
                  a.slot.row<std::int32_t>(),
                  a.position.row<std::int32_t>(),
                  a.table.row<float>(),
                  a.table.stride,
                  static_cast<int>(a.table.rows),
                  static_cast<int>(a.values.cols),
                  p.head_dim,
                  p.rotary / 2,
                  a.kv};
  const dim3 grid(static_cast<unsigned>(p.heads), static_cast<unsigned>(p.rows));
  const unsigned threads = static_cast<unsigned>((p.head_dim + 31) / 32 * 32);
  rope_append_kernel<T><<<grid, threads, 0, cuda::current_stream().get()>>>(rows);
  TRISECT_CUDA_LAUNCHED(rope_append_kernel);
}

void rope_append_fused(const RopeAppend::Problem& p, const RopeAppend::Args& a) {
  if (p.rows == 0) return;
  switch (a.kv.dtype) {
    case Dtype::kF32:
      return launch<float>(p, a);
    case Dtype::kBf16:
      return launch<bf16>(p, a);
    case Dtype::kF16:
      return launch<f16>(p, a);
    case Dtype::kI32:
      usage_error("a KV cache of i32");
  }
}

Availability fits_a_block(const RopeAppend::Problem& p) {
  if (p.head_dim > kMostThreads) return {fmt::format("takes heads of at most {} elements", kMostThreads)};
  return on_cuda(p);
}

}  // namespace

std::span<const RopeAppend::Variant> rope_append_cuda_variants() {
  static const RopeAppend::Variant table[] = {
      {.name = "cuda_fused", .device = Device::kCuda, .available = fits_a_block, .run = rope_append_fused},
  };
  return table;
}

}  // namespace trisect::vattention
