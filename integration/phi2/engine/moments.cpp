#include "integration/phi2/engine/moments.hpp"

#include <Eigen/Eigenvalues>

#include "integration/phi2/engine/panels.hpp"

namespace trisect::phi2 {

void add_moments(const View& x, Moments& sum) {
  const Buffer x_transposed = transposed(x), product(Dtype::kF32, x.cols, x.cols);
  multiply(x_transposed.view(), x, {}, product.view());
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < x.cols; ++c) {
    for (std::int64_t r = 0; r < x.cols; ++r) sum(r, c) += double{product.view().row<float>(c)[r]};
  }
}

void principal_directions(Moments moments, double damping, const View& q) {
  moments.diagonal().array() += damping * moments.diagonal().mean();
  const Eigen::SelfAdjointEigenSolver<Moments> solver(moments);
  for (std::int64_t r = 0; r < q.rows; ++r) {
    for (std::int64_t c = 0; c < q.cols; ++c) {
      q.row<float>(r)[c] = static_cast<float>(solver.eigenvectors()(r, q.cols - 1 - c));
    }
  }
}

}  // namespace trisect::phi2
