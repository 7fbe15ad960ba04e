// The layer against its formula written out: what the generated tests take from the layer's own reference.
#include "kernels/larosa/layer.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace trisect::larosa {
namespace {

constexpr Layer::Problem kUnrotated{
    .in = 8, .out = 3, .is_rotated = 0, .sparsity_permille = 500, .dtype = Dtype::kF32};

/// y = S_k(x) W for distinct magnitudes in x.
std::vector<double> selected_product(const Layer::Args& a, int k) {
  std::vector<double> y(static_cast<std::size_t>(a.w.cols), 0.0);
  const float* x = a.x.row<float>();
  for (int i = 0; i < a.x.cols; ++i) {
    int larger = 0;
    for (int j = 0; j < a.x.cols; ++j) larger += std::abs(x[j]) > std::abs(x[i]);
    if (larger >= k) continue;
    for (std::size_t o = 0; o < y.size(); ++o) y[o] += static_cast<double>(x[i]) * a.w.row<float>(i)[o];
  }
  return y;
}

TEST(Layer, UnrotatedSelectsFromItsInput) {
  Arena arena(Seed{7});
  const Layer::Args args = Layer::make(kUnrotated, arena);
  EXPECT_FALSE(args.q || args.q_transposed || args.rotated || args.unrotated);
  for (const Layer::Variant& variant : Layer::variants()) {
    if (variant.device != Device::kCpu) continue;
    arena.reset_outputs();
    *args.stages = {};
    variant.run(kUnrotated, args);
    const std::vector<double> want = selected_product(args, variant.name == "dense" ? 8 : 4);
    for (std::size_t o = 0; o < want.size(); ++o)
      EXPECT_NEAR(args.y.row<float>()[o], want[o], 1e-5) << variant.name << " " << o;
    EXPECT_EQ(args.stages->rotate, 0) << variant.name;
    EXPECT_EQ(args.stages->unrotate, 0) << variant.name;
    EXPECT_GT(args.stages->product, 0) << variant.name;
  }
}

}  // namespace
}  // namespace trisect::larosa
