#include "integration/phi2/engine/random_rotations.hpp"

#include <Eigen/QR>
#include <bit>
#include <cmath>

namespace trisect::phi2 {
namespace {

/// Sylvester's Hadamard matrix, scaled to be orthogonal.
double hadamard(unsigned r, unsigned c, unsigned n) {
  return (std::popcount(r & c) % 2 != 0 ? -1 : 1) / std::sqrt(n);
}

/// Fills q [n][n].
void make_random(const View& q, Seed seed) {
  const unsigned n = static_cast<unsigned>(q.rows), power = n & ~(n - 1), rest = n / power;
  Buffer noise(Dtype::kF32, rest, rest);
  fill_normal(noise.view(), derive(seed, 0), 1.0f);
  const Eigen::MatrixXd block =
      Eigen::HouseholderQR<Eigen::MatrixXd>(
          Eigen::Map<const Eigen::MatrixXf>(noise.as<float>(), rest, rest).cast<double>())
          .householderQ();
#pragma omp parallel for schedule(static)
  for (unsigned r = 0; r < n; ++r) {
    float* row = q.row<float>(r);
    const double sign = random_bits(derive(seed, 1), r) % 2 == 0 ? 1.0 : -1.0;
    for (unsigned c = 0; c < n; ++c) {
      row[c] = static_cast<float>(sign * hadamard(r / rest, c / rest, power) * block(r % rest, c % rest));
    }
  }
}

class RandomRotations : public RotationSource {
 public:
  RandomRotations(const Config& config, RotationInfo info, Seed seed)
      : RotationSource(std::move(info)), hidden_(config.hidden), head_dim_(config.head_dim), seed_(seed) {}

  Buffer rotation(int layer) const override {
    Buffer q(Dtype::kF32, hidden_, hidden_);
    make_random(q.view(), derive(seed_, per_layer() ? static_cast<std::uint64_t>(layer) : 0));
    return q;
  }

  Buffer values(int layer) const override {
    Buffer q(Dtype::kF32, hidden_, head_dim_);
    for (std::int64_t first = 0; first < hidden_; first += head_dim_) {
      make_random(
          q.view().rows_from(first, head_dim_),
          derive(derive(seed_, ~static_cast<std::uint64_t>(layer)), static_cast<std::uint64_t>(first)));
    }
    return q;
  }

 private:
  std::int64_t hidden_, head_dim_;
  Seed seed_;
};

}  // namespace

std::unique_ptr<RotationSource> random_rotations(const Config& config, RotationInfo info, Seed seed) {
  return std::make_unique<RandomRotations>(config, std::move(info), seed);
}

}  // namespace trisect::phi2
