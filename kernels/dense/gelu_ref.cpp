#include <cmath>
#include <numbers>

#include "kernels/dense/gelu.hpp"

namespace trisect::dense {

void gelu_ref(const Gelu::Problem& problem, const Gelu::Args& args) {
  const double factor = std::sqrt(2 / std::numbers::pi);
  for (int r = 0; r < problem.rows; ++r) {
    for (int i = 0; i < problem.n; ++i) {
      const double x = args.x.row<float>(r)[i];
      const double u = factor * (x + 0.044715 * x * x * x);
      args.y.row<float>(r)[i] = static_cast<float>(x / (1 + std::exp(-2 * u)));
    }
  }
}

}  // namespace trisect::dense
