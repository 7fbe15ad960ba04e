#include <algorithm>
#include <vector>

#include "kernels/dense/gemm.hpp"

namespace trisect::dense {
namespace {

template <class T>
void product_as(const Gemm::Problem& problem, const Gemm::Args& args) {
#pragma omp parallel
  {
    std::vector<double> sums(static_cast<std::size_t>(problem.out));
#pragma omp for schedule(static)
    for (int r = 0; r < problem.m; ++r) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int i = 0; i < problem.in; ++i) {
        const double x = args.x.row<float>(r)[i];
        const T* w = args.w.row<T>(i);
        for (int o = 0; o < problem.out; ++o) sums[static_cast<std::size_t>(o)] += x * double{to_f32(w[o])};
      }
      float* y = args.y.row<float>(r);
      for (int o = 0; o < problem.out; ++o) {
        double sum = sums[static_cast<std::size_t>(o)];
        if (args.bias) sum += double{args.bias.row<float>()[o]};
        if (args.accumulate) sum += double{y[o]};
        y[o] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace

void gemm_ref(const Gemm::Problem& problem, const Gemm::Args& args) {
  if (problem.dtype == Dtype::kBf16) return product_as<bf16>(problem, args);
  if (problem.dtype == Dtype::kF16) return product_as<f16>(problem, args);
  product_as<float>(problem, args);
}

}  // namespace trisect::dense
