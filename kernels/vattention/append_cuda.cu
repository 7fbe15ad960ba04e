// The rows of a step into the cache. Each thread rounds 16 bytes' worth of elements and stores them at once;
// a row's place is looked up by all of its threads, from the first-level cache after the first.
//
// Launch: 128 threads, grid (elements of a row / 4 / 128, rows, keys and values). No shared memory.
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/narrow.cuh"
#include "kernels/dense/row_product.cuh"
#include "kernels/vattention/append_cuda.hpp"
#include "kernels/vattention/kv_place.cuh"

namespace trisect::vattention {
namespace {

constexpr int kThreads = 128;

struct Rows {
  const float *keys, *values;
  std::int64_t keys_stride, values_stride;  // elements
  const std::int32_t *slot, *position;
  dense::KvSpan kv;
  int width;
};

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads) append_rows_kernel(Rows rows) {
  using dense::Pack;
  const int at = static_cast<int>(blockIdx.x * kThreads + threadIdx.x) * kVector;
  const int row = static_cast<int>(blockIdx.y);
  if (at >= rows.width) return;
  const bool is_keys = blockIdx.z == 0;
  const float* const from =
      (is_keys ? rows.keys + row * rows.keys_stride : rows.values + row * rows.values_stride) + at;
  const auto wide = *reinterpret_cast<const Pack<float, kVector>*>(from);
  Pack<T, kVector> to;
#pragma unroll
  for (int i = 0; i < kVector; ++i) dense::narrow(wide.element[i], to.element[i]);
  std::byte* const base = const_cast<std::byte*>(is_keys ? rows.kv.k : rows.kv.v);
  T* const place = reinterpret_cast<T*>(base + place_of(rows.kv, rows.slot[row], rows.position[row])) + at;
  *reinterpret_cast<Pack<T, kVector>*>(place) = to;
}

template <class T>
void launch(const Append::Args& a) {
  constexpr int kVector = 4;
  const int width = static_cast<int>(a.keys.cols);
  const Rows rows{a.keys.row<float>(),        a.values.row<float>(),          a.keys.stride, a.values.stride,
                  a.slot.row<std::int32_t>(), a.position.row<std::int32_t>(), a.kv,          width};
  const bool aligned = width % kVector == 0 && is_aligned(a.kv, kVector * sizeof(T)) &&
                       is_aligned(a.keys, 16) && is_aligned(a.values, 16);
  const int threads = aligned ? width / kVector : width;
  const dim3 grid(static_cast<unsigned>((threads + kThreads - 1) / kThreads),
                  static_cast<unsigned>(a.keys.rows), 2);
  const cudaStream_t stream = cuda::current_stream().get();
  aligned ? append_rows_kernel<T, kVector><<<grid, kThreads, 0, stream>>>(rows)
          : append_rows_kernel<T, 1><<<grid, kThreads, 0, stream>>>(rows);
  TRISECT_CUDA_LAUNCHED(append_rows_kernel);
}

}  // namespace

void append_cuda(const Append::Problem&, const Append::Args& args) {
  if (args.keys.rows == 0) return;
  switch (args.kv.dtype) {
    case Dtype::kF32:
      return launch<float>(args);
    case Dtype::kBf16:
      return launch<bf16>(args);
    case Dtype::kF16:
      return launch<f16>(args);
    case Dtype::kI32:
      usage_error("a KV cache of i32");
  }
}

std::span<const Append::Variant> append_cuda_variants() {
  static const Append::Variant table[] = {
      {.name = "cuda", .device = Device::kCuda, .available = on_cuda, .run = append_cuda},
  };
  return table;
}

}  // namespace trisect::vattention
