// y = S_k(x) W in one launch: selection and row-skipping product fused.
//
// Idea: a selection of its own takes as long as reading several megabytes of weights. Here every block finds
// the threshold itself (select.cuh), from a vector that lies in the second-level cache, and stores only those
// kept entries that its own part of the product (row_product.cuh) is about. Nothing is exchanged between
// blocks before the sums.
//
// Launch: one block of 512 threads an SM. Shared memory: 18 KB for the product, 8.3 KB for the selection, 8
// bytes for each kept entry of a block's part.
#include "kernels/core/cuda/device.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/row_product_plan.cuh"
#include "kernels/larosa/layer_cuda.hpp"
#include "kernels/larosa/select.cuh"

namespace trisect::larosa {
namespace {

/// Kept entries from the one of rank `start` on, around the end of the row: those of a block's part.
struct SelectedRows {
  const std::int32_t* index;
  const float* value;
  int start, k;

  __device__ dense::Factors<1> get(int j) const {
    const int at = j >= start ? j - start : j - start + k;
    return {index[at], {value[at]}};
  }
};

template <class W, int kVector, int kItems>
__global__ void __launch_bounds__(dense::kProductThreads, 1)
    select_product_kernel(dense::ProductArgs<W> a, const float* x, int n) {
  using Select = BlockSelect<dense::kProductThreads, kItems>;
  extern __shared__ std::int32_t list[];
  __shared__ typename Select::Shared select_shared;
  __shared__ dense::ProductShared<kVector> product_shared;

  const int k = a.count, tiles = (a.out + dense::kTile<kVector> - 1) / dense::kTile<kVector>;
  const int block = static_cast<int>(blockIdx.x), blocks = static_cast<int>(gridDim.x);
  const std::int64_t begin = dense::part_begin(tiles, k, block, blocks);
  const int length =
      static_cast<int>(min(std::int64_t{k}, dense::part_begin(tiles, k, block + 1, blocks) - begin));
  SelectedRows rows{list, reinterpret_cast<float*>(list + length), 0, k};
  if (k > 0) {
    rows.start = static_cast<int>(begin % k);
    Select select(x, n, select_shared);
    select.compact(select.find(k), [&](int place, int index, float value) {
      const int at = place >= rows.start ? place - rows.start : place - rows.start + k;
      if (at >= length) return;
      list[at] = index;
      reinterpret_cast<float*>(list + length)[at] = value;
    });
  }
  dense::product<W, kVector, 1, 8, false>(a, rows, product_shared);
}

template <class W, int kVector, int kItems>
void launch(const dense::Plan<W, kVector>& plan, const View& x) {
  const int tiles = (plan.args.out + dense::kTile<kVector> - 1) / dense::kTile<kVector>;
  const std::int64_t longest_part = (std::int64_t{tiles} * plan.args.count + plan.blocks - 1) / plan.blocks;
  const auto bytes = static_cast<std::size_t>(8 * std::min<std::int64_t>(plan.args.count, longest_part));
  if (bytes > std::size_t{16} << 10) {
    TRISECT_CUDA_CALL(cudaFuncSetAttribute(select_product_kernel<W, kVector, kItems>,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(bytes)));
  }
  select_product_kernel<W, kVector, kItems>
      <<<plan.blocks, dense::kProductThreads, bytes, cuda::current_stream().get()>>>(
          plan.args, x.row<float>(), static_cast<int>(x.cols));
  TRISECT_CUDA_LAUNCHED(select_product_kernel);
}

}  // namespace

void select_product_cuda(const View& x, int k, const View& w, const View& y) {
  if (w.cols == 0) return;
  dense::with_weights(w, [&]<class W, int kVector>(W*, std::integral_constant<int, kVector>) {
    const dense::Plan<W, kVector> plan({.w = w, .index = {}, .value = x, .bias = {}, .y = y}, k, 1, 1, 1);
    constexpr int kThreads = dense::kProductThreads;
    if (x.cols <= 8 * kThreads) return launch<W, kVector, 8>(plan, x);
    if (x.cols <= 20 * kThreads) return launch<W, kVector, 20>(plan, x);
    if (x.cols <= 32 * kThreads) return launch<W, kVector, 32>(plan, x);
    usage_error("select_product_cuda takes at most {} entries, not {}", kLongestSelected, x.cols);
  });
}

}  // namespace trisect::larosa
