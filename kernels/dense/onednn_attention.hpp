// Attention of one new token through oneDNN's primitives: a product, a softmax, a product.
#pragma once

#include <memory>

#include "kernels/dense/attention.hpp"

namespace trisect::dense {

/// Compiled for `keys` keys and values that lie in one piece, `kv.token` bytes apart; its heads are the
/// products' batch. f32, and bf16 where onednn_supports() it. oneDNN has no product of f32 and bf16, so there
/// queries and weights are cut into three bf16 numbers each, as rows of one product whose sum is that of the
/// f32 numbers.
class OnednnAttention {
 public:
  /// Throws Error(kEnvironment) where oneDNN has no such product.
  OnednnAttention(const KvSpan& kv, int heads, int head_dim, int keys);

  /// q and out: f32 [heads * head_dim]; k and v: the first token's. One call at a time.
  void run(const float* q, const std::byte* k, const std::byte* v, float* out) const;

 private:
  struct Compiled;
  std::shared_ptr<Compiled> compiled_;
};

}  // namespace trisect::dense
