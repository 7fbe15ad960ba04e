#include <cublas_v2.h>

#include <memory>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/row_product_plan.cuh"

namespace trisect::dense {
namespace {

/// Every row of the matrix.
template <int kRows>
struct AllRows {
  const float* value;
  std::int64_t value_stride;

  __device__ Factors<kRows> get(int j) const {
    Factors<kRows> factors;
    factors.row = j;
#pragma unroll
    for (int r = 0; r < kRows; ++r) factors.value[r] = value[r * value_stride + j];
    return factors;
  }
};

/// The rows of a list.
struct ListedRows {
  const std::int32_t* index;
  const float* value;

  __device__ Factors<1> get(int j) const { return {index[j], {value[j]}}; }
};

template <class W, int kVector, int kRows>
__global__ void __launch_bounds__(kProductThreads, kRows == 1 ? kProductBlocksPerSm : 1)
    row_product_all_kernel(ProductArgs<W> a, AllRows<kRows> source) {
  __shared__ ProductShared<kVector> shared;
  product<W, kVector, kRows, kProductAhead, false>(a, source, shared);
}

/// grid.y is the row of activations.
template <class W, int kVector, bool kAtomic>
__global__ void __launch_bounds__(kProductThreads, kProductBlocksPerSm)
    row_product_listed_kernel(ProductArgs<W> a, ListedRows source, std::int64_t index_stride,
                              std::int64_t value_stride, std::int64_t partials_stride) {
  __shared__ ProductShared<kVector> shared;
  const int tiles = (a.out + kTile<kVector> - 1) / kTile<kVector>;
  source.index += blockIdx.y * index_stride;
  source.value += blockIdx.y * value_stride;
  a.y += blockIdx.y * a.y_stride;
  a.partials += blockIdx.y * partials_stride;
  a.counters += blockIdx.y * tiles;
  product<W, kVector, 1, kProductAhead, kAtomic>(a, source, shared);
}

/// What a product that can only add starts from: the bias, or zeros; on top of y where it accumulates.
__global__ void __launch_bounds__(256)
    row_product_start_kernel(const float* bias, float* y, std::int64_t stride, int out, bool accumulate) {
  const int i = static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  if (i >= out) return;
  float& to = y[blockIdx.y * stride + i];
  to = (accumulate ? to : 0.0f) + (bias != nullptr ? bias[i] : 0.0f);
}

template <bool kAtomic>
void listed(const CudaRowProduct& p) {
  const int rows = static_cast<int>(p.value.rows), count = static_cast<int>(p.value.cols);
  with_weights(p.w, [&]<class W, int kVector>(W*, std::integral_constant<int, kVector>) {
    const Plan<W, kVector> plan(p, count, rows, 1, kProductBlocksPerSm);
    const ListedRows source{static_cast<const std::int32_t*>(p.index.data),
                            static_cast<const float*>(p.value.data)};
    const dim3 grid(static_cast<unsigned>(plan.blocks), static_cast<unsigned>(rows));
    row_product_listed_kernel<W, kVector, kAtomic>
        <<<grid, kProductThreads, 0, cuda::current_stream().get()>>>(plan.args, source, p.index.stride,
                                                                     p.value.stride, plan.partials_stride);
    TRISECT_CUDA_LAUNCHED(row_product_listed_kernel);
  });
}

template <int kRows>
void all(const CudaRowProduct& p) {
  with_weights(p.w, [&]<class W, int kVector>(W*, std::integral_constant<int, kVector>) {
    const Plan<W, kVector> plan(p, static_cast<int>(p.value.cols), 1, kRows,
                                kRows == 1 ? kProductBlocksPerSm : 1);
    const AllRows<kRows> source{static_cast<const float*>(p.value.data), p.value.stride};
    row_product_all_kernel<W, kVector, kRows>
        <<<plan.blocks, kProductThreads, 0, cuda::current_stream().get()>>>(plan.args, source);
    TRISECT_CUDA_LAUNCHED(row_product_all_kernel);
  });
}

void check_blas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ExitCode::kCheckFailed, fmt::format("cuBLAS: {}: {}", call, cublasGetStatusString(status)));
}
#define TRISECT_CUBLAS_CALL(call) check_blas((call), #call)

cublasHandle_t blas_handle() {
  struct Destroy {
    void operator()(cublasHandle_t handle) const { cublasDestroy(handle); }
  };
  thread_local const std::unique_ptr<cublasContext, Destroy> handle = [] {
    cublasHandle_t made = nullptr;
    TRISECT_CUBLAS_CALL(cublasCreate(&made));
    return std::unique_ptr<cublasContext, Destroy>(made);
  }();
  TRISECT_CUBLAS_CALL(cublasSetStream(handle.get(), cuda::current_stream().get()));
  return handle.get();
}

__device__ void narrow(float from, f16& to) { to.bits = __half_as_ushort(__float2half_rn(from)); }
__device__ void narrow(float from, bf16& to) { to.bits = __bfloat16_as_ushort(__float2bfloat16_rn(from)); }

template <class W>
__global__ void __launch_bounds__(256)
    row_product_narrow_kernel(const float* from, std::int64_t stride, int n, W* to) {
  const int i = static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  if (i < n) narrow(from[blockIdx.y * stride + i], to[std::int64_t{blockIdx.y} * n + i]);
}

dim3 threads_for(int columns, int rows) {
  return {static_cast<unsigned>((columns + 255) / 256), static_cast<unsigned>(rows)};
}

/// GEMM then adds to it.
void start(const CudaRowProduct& p) {
  const int out = static_cast<int>(p.y.cols), rows = static_cast<int>(p.y.rows);
  row_product_start_kernel<<<threads_for(out, rows), 256, 0, cuda::current_stream().get()>>>(
      p.bias ? p.bias.row<float>() : nullptr, p.y.row<float>(), p.y.stride, out, p.accumulate);
  TRISECT_CUDA_LAUNCHED(row_product_start_kernel);
}

/// The values in the type of the weights, contiguous, in scratch memory.
template <class W>
const void* narrowed(const View& value) {
  const int rows = static_cast<int>(value.rows), n = static_cast<int>(value.cols);
  W* const to =
      reinterpret_cast<W*>(cuda::current_stream().scratch(sizeof(W) * static_cast<std::size_t>(rows * n)));
  row_product_narrow_kernel<<<threads_for(n, rows), 256, 0, cuda::current_stream().get()>>>(
      value.row<float>(), value.stride, n, to);
  TRISECT_CUDA_LAUNCHED(row_product_narrow_kernel);
  return to;
}

}  // namespace

void row_product_cuda(const CudaRowProduct& p) {
  if (p.value.rows == 0 || p.y.cols == 0) return;
  if (p.index) return listed<false>(p);
  for (std::int64_t first = 0; first < p.value.rows;) {
    const std::int64_t left = p.value.rows - first;
    const int rows = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    CudaRowProduct part = p;
    part.value = p.value.rows_from(first, rows);
    part.y = p.y.rows_from(first, rows);
    rows == 8 ? all<8>(part) : rows == 4 ? all<4>(part) : rows == 2 ? all<2>(part) : all<1>(part);
    first += rows;
  }
}

void row_product_cuda_atomic(const CudaRowProduct& p) {
  if (p.value.rows == 0 || p.y.cols == 0) return;
  if (!p.index) usage_error("row_product_cuda_atomic takes listed rows only");
  if (!p.accumulate || p.bias) start(p);
  listed<true>(p);
}

void row_product_cublas(const CudaRowProduct& p) {
  if (p.value.rows == 0 || p.y.cols == 0) return;
  if (p.index) usage_error("cuBLAS takes all rows of a matrix, not a list of them");
  const int rows = static_cast<int>(p.value.rows), in = static_cast<int>(p.value.cols),
            out = static_cast<int>(p.y.cols);
  const bool adds = p.accumulate || p.bias;
  if (p.bias) start(p);
  if (in == 0) return adds ? void() : start(p);
  const void* value = p.value.data;
  int value_stride = static_cast<int>(p.value.stride);
  cudaDataType_t type = CUDA_R_32F;
  if (p.w.dtype != Dtype::kF32) {
    type = p.w.dtype == Dtype::kBf16 ? CUDA_R_16BF : CUDA_R_16F;
    value = p.w.dtype == Dtype::kBf16 ? narrowed<bf16>(p.value) : narrowed<f16>(p.value);
    value_stride = in;
  }
  // To cuBLAS, which counts columns first, a row-major matrix is its transpose: y' = w' x'.
  const float one = 1, beta = adds ? 1 : 0;
  TRISECT_CUBLAS_CALL(cublasGemmEx(blas_handle(), CUBLAS_OP_N, CUBLAS_OP_N, out, rows, in, &one, p.w.data,
                                   type, static_cast<int>(p.w.stride), value, type, value_stride, &beta,
                                   p.y.data, CUDA_R_32F, static_cast<int>(p.y.stride), CUBLAS_COMPUTE_32F,
                                   CUBLAS_GEMM_DEFAULT));
}

}  // namespace trisect::dense
