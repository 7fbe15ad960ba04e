// vattention/append: the keys and values of new tokens go to their places in the cache.
#pragma once

#include "kernels/dense/attention.hpp"

namespace trisect::vattention {

/// Row r of keys and values is written as token position[r] of slot[r], rounded to nearest, ties to even, to
/// the cache's type. Places are distinct; the memory is there (KvCache::prepare). No overlap of rows and
/// cache.
///
/// A Problem: one token for each of `rows` slots, which have `context` tokens in pages of `page` (page =
/// context: in one piece). Token r comes to position context - 1 - r, or as late as there are tokens.
struct Append {
  static constexpr std::string_view name = "vattention/append";
  struct Problem {
    int rows, context, page, heads, head_dim;
    Dtype dtype;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows},
                                              {"context", &Problem::context},
                                              {"page", &Problem::page},
                                              {"heads", &Problem::heads},
                                              {"head_dim", &Problem::head_dim}};
  struct Args {
    View keys, values;    ///< f32 [rows][heads * head_dim], rows any stride apart
    View slot, position;  ///< i32 [1][rows]
    dense::KvSpan kv;     ///< written through
    View k, v;            ///< the whole cache, for check(); not used by the variants
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got,
                     const Args& want);  ///< bit for bit, all of the cache
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref, cpu, cpu_simd (f32 and bf16), cuda
};

void append_ref(const Append::Problem& problem, const Append::Args& args);
void append_cpu(const Append::Problem& problem, const Append::Args& args);
void append_simd(const Append::Problem& problem, const Append::Args& args);

}  // namespace trisect::vattention
