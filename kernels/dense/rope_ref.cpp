#include "kernels/dense/rope.hpp"

namespace trisect::dense {

void rope_ref(const Rope::Problem& problem, const Rope::Args& args) {
  const int half = problem.rotary / 2;
  for (int r = 0; r < problem.rows; ++r) {
    const float* cosines = args.table.row<float>(args.position.row<std::int32_t>()[r]);
    const float* sines = cosines + half;
    for (int h = 0; h < problem.heads; ++h) {
      float* x = args.x.row<float>(r) + h * problem.head_dim;
      for (int i = 0; i < half; ++i) {
        const double a = x[i], b = x[i + half], c = cosines[i], s = sines[i];
        x[i] = static_cast<float>(a * c - b * s);
        x[i + half] = static_cast<float>(a * s + b * c);
      }
    }
  }
}

}  // namespace trisect::dense
