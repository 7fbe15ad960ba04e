#include "integration/phi2/engine/calibrate.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include <algorithm>
#include <bit>
#include <numeric>
#include <cmath>

#include "integration/phi2/engine/dense_projection.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::phi2 {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMajorF32 = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

auto as_eigen(const View& view) {
  return Eigen::Map<RowMajorF32, 0, Eigen::OuterStride<>>(view.row<float>(), view.rows, view.cols,
                                                          Eigen::OuterStride<>(view.stride));
}

/// The dense projection, which also adds up X^T X of what enters q|k|v|fc1.
class MomentsProjection : public DenseProjection {
 public:
  MomentsProjection(const Weights& weights, int max_rows, StageClock& clock)
      : DenseProjection(weights, max_rows, clock),
        moments_(weights.layers.size(), Matrix::Zero(weights.config.hidden, weights.config.hidden)) {}

  void in(int index, const View& x, const View& qkvh) override {
    const LayerWeights& w = layer(index);
    const View normed = normalize(x, w.norm_gain, w.norm_bias);
    moments_[static_cast<std::size_t>(index)].selfadjointView<Eigen::Lower>().rankUpdate(
        as_eigen(normed).cast<double>().transpose());
    multiply(normed, w.qkvh, w.qkvh_bias, qkvh);
  }

  const Matrix& moments(std::size_t index) const { return moments_[index]; }

 private:
  std::vector<Matrix> moments_;  // lower triangles
};

/// Eigenvectors as columns, the largest eigenvalue first.
Matrix principal_directions(Matrix moments, double damping) {
  moments.diagonal().array() += damping * moments.diagonal().mean();
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(moments);
  return solver.eigenvectors().rowwise().reverse();
}

/// Sylvester's Hadamard matrix, scaled to be orthogonal.
double hadamard(unsigned r, unsigned c, unsigned n) { return (std::popcount(r & c) % 2 != 0 ? -1 : 1) / std::sqrt(n); }

}  // namespace

Rotations calibrate(const Weights& weights, std::span<const std::int32_t> ids, double damping,
                    const Progress& progress) {
  const Config& config = weights.config;
  if (static_cast<int>(ids.size()) < config.hidden) {
    usage_error("the calibration text has {} tokens; the model's {} dimensions need at least as many", ids.size(),
                config.hidden);
  }
  const int window = config.positions, rows = std::min(512, window);
  StageClock clock;
  MomentsProjection projection(weights, rows, clock);
  const auto cache =
      vattention::make_kv_cache(vattention::KvPolicy::kLazy, kv_options(config, weights.dtype, 1, window));
  Forward forward(config, projection, rows, clock);
  const std::vector<std::int32_t> slots(static_cast<std::size_t>(rows), cache->acquire(window));
  std::vector<std::int32_t> positions(static_cast<std::size_t>(rows));
  for (std::size_t at = 0; at < ids.size();) {
    const std::size_t start = at % static_cast<std::size_t>(window);
    const std::size_t count = std::min({static_cast<std::size_t>(rows), ids.size() - at, static_cast<std::size_t>(window) - start});
    std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(start));
    forward.step({ids.subspan(at, count), std::span(slots).first(count), std::span(positions).first(count)}, *cache, {});
    at += count;
    if (progress) progress("collecting moments", static_cast<double>(at) / static_cast<double>(ids.size()));
    if (interrupted()) throw Error(ExitCode::kInterrupted, "calibration was interrupted; nothing was written");
  }

  Rotations rotations = allocate_rotations(config, Dtype::kF32);
  for (std::size_t l = 0; l < rotations.layers.size(); ++l) {
    as_eigen(rotations.layers[l]) = principal_directions(projection.moments(l), damping).cast<float>();
    if (progress) progress("eigenvectors", static_cast<double>(l + 1) / static_cast<double>(rotations.layers.size()));
    if (interrupted()) throw Error(ExitCode::kInterrupted, "calibration was interrupted; nothing was written");
  }
  rotations.info.model_hash = weights.hash;
  rotations.info.text_tokens = static_cast<std::int64_t>(ids.size());
  rotations.info.damping = damping;
  return rotations;
}

Rotations random_rotations(const Weights& weights, Seed seed) {
  const unsigned n = static_cast<unsigned>(weights.config.hidden);
  const unsigned power = n & ~(n - 1), rest = n / power;
  Rotations rotations = allocate_rotations(weights.config, Dtype::kF32);
  rotations.info.model_hash = weights.hash;
  for (std::size_t l = 0; l < rotations.layers.size(); ++l) {
    Buffer noise(Dtype::kF32, rest, rest);
    fill_normal(noise.view(), derive(seed, l), 1.0f);
    const Matrix block = Eigen::HouseholderQR<Matrix>(as_eigen(noise.view()).cast<double>()).householderQ();
    const auto sign = [&](unsigned i) { return random_bits(derive(seed, ~l), i) % 2 == 0 ? 1.0 : -1.0; };
#pragma omp parallel for schedule(static)
    for (unsigned r = 0; r < n; ++r) {
      float* row = rotations.layers[l].row<float>(r);
      for (unsigned c = 0; c < n; ++c) {
        row[c] = static_cast<float>(sign(r) * hadamard(r / rest, c / rest, power) * block(r % rest, c % rest));
      }
    }
  }
  return rotations;
}

}  // namespace trisect::phi2
