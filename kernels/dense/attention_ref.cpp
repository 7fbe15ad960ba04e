#include <cmath>
#include <vector>

#include "kernels/dense/attention.hpp"

namespace trisect::dense {
namespace {

template <class T>
void attend(const Attention::Problem& problem, const Attention::Args& args, int row, int head) {
  const int n = problem.head_dim, keys = args.position.row<std::int32_t>()[row] + 1;
  const std::int32_t slot = args.slot.row<std::int32_t>()[row];
  const auto at = [&](const std::byte* base, int t) {
    return reinterpret_cast<const T*>(base + args.kv.offset(slot, t)) + head * n;
  };
  const float* q = args.q.row<float>(row) + head * n;
  std::vector<double> weight(static_cast<std::size_t>(keys)), mean(static_cast<std::size_t>(n));
  double largest = -INFINITY, total = 0;
  for (int t = 0; t < keys; ++t) {
    double product = 0;
    for (int i = 0; i < n; ++i) product += double{q[i]} * double{to_f32(at(args.kv.k, t)[i])};
    weight[static_cast<std::size_t>(t)] = product / std::sqrt(n);
    largest = std::max(largest, weight[static_cast<std::size_t>(t)]);
  }
  for (double& w : weight) total += w = std::exp(w - largest);
  for (int t = 0; t < keys; ++t) {
    for (int i = 0; i < n; ++i) {
      mean[static_cast<std::size_t>(i)] +=
          weight[static_cast<std::size_t>(t)] * double{to_f32(at(args.kv.v, t)[i])};
    }
  }
  float* out = args.out.row<float>(row) + head * n;
  for (int i = 0; i < n; ++i) out[i] = static_cast<float>(mean[static_cast<std::size_t>(i)] / total);
}

}  // namespace

void attention_ref(const Attention::Problem& problem, const Attention::Args& args) {
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int row = 0; row < problem.rows; ++row) {
    for (int head = 0; head < problem.heads; ++head) {
      switch (problem.dtype) {
        case Dtype::kBf16:
          attend<bf16>(problem, args, row, head);
          break;
        case Dtype::kF16:
          attend<f16>(problem, args, row, head);
          break;
        default:
          attend<float>(problem, args, row, head);
      }
    }
  }
}

}  // namespace trisect::dense
