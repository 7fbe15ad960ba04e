// The small operations of a layer on the GPU. They cannot throw for what they read on the device: a position
// outside the rotary table, or a token outside the vocabulary, gives NaN.
#pragma once

#include "kernels/dense/embedding.hpp"
#include "kernels/dense/gelu.hpp"
#include "kernels/dense/layernorm.hpp"
#include "kernels/dense/rope.hpp"

namespace trisect::dense {

std::span<const VariantOf<Layernorm::Problem, Layernorm::Args>> layernorm_cuda_variants();
std::span<const VariantOf<Gelu::Problem, Gelu::Args>> gelu_cuda_variants();
std::span<const VariantOf<Rope::Problem, Rope::Args>> rope_cuda_variants();
std::span<const VariantOf<Embedding::Problem, Embedding::Args>> embedding_cuda_variants();

}  // namespace trisect::dense
