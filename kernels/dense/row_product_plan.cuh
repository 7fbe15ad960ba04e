// How the launch of a row product is laid out, and the memory it gets: the host's side of row_product.cuh.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/core/cuda/device.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/row_product.cuh"
#include "kernels/dense/row_product_cuda.hpp"
#include "kernels/dense/row_product_launch.hpp"

namespace trisect::dense {

/// Calls with the type of the weights, and with how many of them a lane can load at once.
template <class Run>
void with_weights(const View& w, Run run) {
  const auto aligned = [&]<class W>(W*) {
    constexpr int kVector = 16 / static_cast<int>(sizeof(W));
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(w.data) % 16 == 0 && w.stride % kVector == 0 &&
                            w.cols % kVector == 0;
    W* const none = nullptr;
    is_aligned ? run(none, std::integral_constant<int, kVector>())
               : run(none, std::integral_constant<int, 1>());
  };
  switch (w.dtype) {
    case Dtype::kF32:
      return aligned(static_cast<float*>(nullptr));
    case Dtype::kBf16:
      return aligned(static_cast<bf16*>(nullptr));
    case Dtype::kF16:
      return aligned(static_cast<f16*>(nullptr));
    case Dtype::kI32:
      usage_error("a product with i32 weights");
  }
}

/// The layout of one launch, with its memory: `rows` products side by side, or one of `vectors` vectors.
template <class W, int kVector>
struct Plan {
  ProductArgs<W> args;
  int blocks;
  std::int64_t partials_stride;

  Plan(const CudaRowProduct& p, int count, int rows, int vectors, int blocks_per_sm) {
    const int out = static_cast<int>(p.w.cols), tiles = (out + kTile<kVector> - 1) / kTile<kVector>;
    blocks = product_blocks(count, out, kTile<kVector>, cuda::device_info().sms, blocks_per_sm);
    partials_stride = std::int64_t{blocks + tiles} * vectors * kTile<kVector>;
    cuda::Stream& stream = cuda::current_stream();
    args = {.w = static_cast<const W*>(p.w.data),
            .w_stride = p.w.stride,
            .bias = p.bias ? p.bias.row<float>() : nullptr,
            .y = p.y.row<float>(),
            .y_stride = p.y.stride,
            .count = count,
            .out = out,
            .accumulate = p.accumulate,
            .partials = reinterpret_cast<float*>(
                stream.scratch(sizeof(float) * static_cast<std::size_t>(rows * partials_stride))),
            .counters = stream.counters(static_cast<std::size_t>(rows) * static_cast<std::size_t>(tiles))};
  }
};

}  // namespace trisect::dense
