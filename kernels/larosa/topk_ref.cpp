#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/larosa/topk_detail.hpp"

namespace trisect::larosa {

void topk_ref(const Topk::Problem& problem, const Topk::Args& args) {
  const int k = kept(problem.n, problem.sparsity_permille);
  std::vector<std::int32_t> order(static_cast<std::size_t>(problem.n));
  for (int r = 0; r < problem.rows; ++r) {
    const float* x = args.x.row<float>(r);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [x](std::int32_t a, std::int32_t b) { return magnitude(x[a]) > magnitude(x[b]); });
    std::sort(order.begin(), order.begin() + k);
    for (int i = 0; i < k; ++i) {
      args.index.row<std::int32_t>(r)[i] = order[static_cast<std::size_t>(i)];
      args.value.row<float>(r)[i] = x[order[static_cast<std::size_t>(i)]];
    }
  }
}

}  // namespace trisect::larosa
