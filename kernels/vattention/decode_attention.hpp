// vattention/decode_attention: one new token for each sequence of a batch, over keys and values that lie in
// one piece or in pages.
#pragma once

#include <memory>

#include "kernels/dense/attention.hpp"
#include "kernels/vattention/kv_cache.hpp"

namespace trisect::vattention {

/// dense/attention (see there for the formula, types, shapes and errors) as decoding asks for it, on the
/// layouts that compete:
///   runs        what vAttention keeps contiguous on the CPU, layers interleaved by runs of kRunTokens
///   tokens:
///               [slot][run][layer][token][row]; contiguous on a GPU, token by token:
///               [slot][token][layer][row]
///   paged       PagedAttention's blocks of kPageTokens tokens anywhere in a pool: [page][layer][token][row]
///   layer       a static cache's [slot][layer][token][row]: what interleaving costs, and as oneDNN can read
///   it
/// The kernel is one and the same, so equal keys and values give equal bits; here all layouts lie over the
/// same memory, and so hold different tokens, and each has a reference of its own.
///
/// A Problem: slot s of `batch` has context - s * context / (2 * batch) tokens. `layers` are interleaved, of
/// which one is read; the pages of a slot are scattered over the pool.
struct DecodeAttention {
  static constexpr std::string_view name = "vattention/decode_attention";
  static constexpr int kPageTokens = 16;
  struct Problem {
    int batch, context, layers, heads, head_dim;
    Dtype dtype;
  };
  static constexpr Field<Problem> fields[] = {{"batch", &Problem::batch},
                                              {"context", &Problem::context},
                                              {"layers", &Problem::layers},
                                              {"heads", &Problem::heads},
                                              {"head_dim", &Problem::head_dim}};
  struct Args {
    View q;               ///< f32 [batch][heads * head_dim]
    View slot, position;  ///< i32 [1][batch]: 0, 1, ..., and each slot's last token
    View out;             ///< f32 [batch][heads * head_dim]
    dense::KvSpan contiguous, runs, paged, layer;
    std::shared_ptr<void> prepared;  ///< compiled primitives, for onednn_layer
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref judges cpu_interleaved and cuda_contiguous, ref_runs cpu_contiguous, others those that end like
  /// them.
  static std::span<const Variant> variants();
};

}  // namespace trisect::vattention
