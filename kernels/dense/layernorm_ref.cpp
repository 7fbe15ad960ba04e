#include <cmath>

#include "kernels/dense/layernorm.hpp"

namespace trisect::dense {

void layernorm_ref(const Layernorm::Problem& problem, const Layernorm::Args& args) {
  const float *gain = args.gain.row<float>(), *bias = args.bias.row<float>();
  for (int r = 0; r < problem.rows; ++r) {
    const float* x = args.x.row<float>(r);
    float* y = args.y.row<float>(r);
    double mean = 0, variance = 0;
    for (int i = 0; i < problem.n; ++i) mean += double{x[i]};
    mean /= problem.n;
    for (int i = 0; i < problem.n; ++i) variance += (x[i] - mean) * (x[i] - mean);
    const double scale = 1 / std::sqrt(variance / problem.n + double{args.eps});
    for (int i = 0; i < problem.n; ++i) {
      y[i] = static_cast<float>((x[i] - mean) * scale * double{gain[i]} + double{bias[i]});
    }
  }
}

}  // namespace trisect::dense
