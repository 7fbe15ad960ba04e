// The modes of larosa/layer on the GPU.
#pragma once

#include "kernels/larosa/layer.hpp"

namespace trisect::larosa {

/// What the modes must agree with, on the host.
struct LayerReferences {
  Layer::Variant::Fn *dense, *naive, *online;
};
std::span<const Layer::Variant> layer_cuda_variants(const LayerReferences& references);

/// y = S_k(x) w in one launch: every block finds the threshold itself. All device memory; x and y f32 [1][*].
void select_product_cuda(const View& x, int k, const View& w, const View& y);

/// The longest x that select_product_cuda and the top-k of one block take.
inline constexpr int kLongestSelected = 16384;

}  // namespace trisect::larosa
