// What a layer does with its queries, keys and values before attention, in one pass: dense/rope, then
// vattention/append.
#pragma once

#include "kernels/vattention/append.hpp"

namespace trisect::vattention {

/// Queries and keys are turned to their positions; queries stay where they are, keys and values go to the
/// cache, rounded to its type. See dense/rope and vattention/append for the operands, and for a position
/// outside the table.
struct RopeAppend {
  static constexpr std::string_view name = "vattention/rope_append";
  struct Problem {
    int rows, context, page, heads, head_dim, rotary;
    Dtype dtype;
  };
  static constexpr Field<Problem> fields[] = {
      {"rows", &Problem::rows},         {"context", &Problem::context},
      {"page", &Problem::page},         {"heads", &Problem::heads},
      {"head_dim", &Problem::head_dim}, {"rotary", &Problem::rotary}};
  struct Args {
    View query_key;       ///< f32 [rows][2 * heads * head_dim]; what is left in place of the keys is not said
    View values;          ///< f32 [rows][heads * head_dim]
    View slot, position;  ///< i32 [1][rows]
    View table;           ///< f32 [positions][rotary] of dense::make_rope_table()
    dense::KvSpan kv;     ///< written through
    View k, v;            ///< the whole cache, for check(); not used by the variants
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  /// Variants round the turned entries differently, by 1e-6 or, in the cache, by a unit of its type.
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref and cpu (one op after the other), cuda_two (two launches), cuda_fused (one).
  static std::span<const Variant> variants();
};

std::span<const RopeAppend::Variant> rope_append_cuda_variants();

}  // namespace trisect::vattention
