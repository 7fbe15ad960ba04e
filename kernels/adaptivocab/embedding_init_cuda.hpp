// New tokens' rows on the GPU.
#pragma once

#include "kernels/adaptivocab/embedding_init.hpp"

namespace trisect::adaptivocab {

std::span<const EmbeddingInit::Variant> embedding_init_cuda_variants();

/// Args are device memory. Waits until the parts have been looked at, since a bad one must stop it.
void embedding_init_cuda(const EmbeddingInit::Problem& problem, const EmbeddingInit::Args& args);

}  // namespace trisect::adaptivocab
