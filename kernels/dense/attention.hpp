// dense/attention: causal multi-head attention of new tokens over the keys and values of their sequences.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// Keys and values in memory, of one layer. Token t, head h of slot s: base + s * slot + t * token + h *
/// head_dim elements. The strides are bytes; bases and strides are multiples of the element's size.
/// With `page`, which kernels of the CPU read only, tokens come in pages of page_tokens, that far apart: base + s * slot + t / page_tokens * page
/// + t % page_tokens * token. With a table it lies in page table[s * table_stride + t / page_tokens] as its
/// token t % page_tokens, and `slot` is the distance of pages.
struct KvSpan {
  const std::byte *k = nullptr, *v = nullptr;
  std::int64_t slot = 0, token = 0;
  Dtype dtype = Dtype::kF32;
  const std::int32_t* table = nullptr;
  std::int64_t table_stride = 0;
  std::int32_t page_tokens = 1;
  std::int64_t page = 0;

  /// Bytes from k or v to a token.
  std::int64_t offset(std::int64_t slot_index, std::int64_t token_index) const {
    if (table == nullptr && page == 0) return slot_index * slot + token_index * token;
    if (table == nullptr)
      return slot_index * slot + token_index / page_tokens * page + token_index % page_tokens * token;
    return table[slot_index * table_stride + token_index / page_tokens] * slot +
           token_index % page_tokens * token;
  }
};

/// Row r, head h of the output: the mean of the values of keys 0..position[r] of slot[r], weighted by
/// softmax(q . k / sqrt(head_dim)). q and out: f32 [rows][heads * head_dim], rows any stride apart. slot,
/// position: i32 [1][rows], position >= 0. KV is f32, bf16 or f16 (`dtype`); scores, softmax (its maximum
/// subtracted) and sums are f32. The keys and values of the new tokens must already be in place. Keys beyond
/// position[r] are never let in: they may hold anything, NaN included. out may be q itself, else no overlap.
/// Any mixture of rows is one call: several tokens of a slot (prefill: best side by side, ascending) and
/// single tokens of many slots (decode).
///
/// A Problem: each of `slots` sequences brings its last rows / slots tokens (no remainder); slot s ends at
/// position context - 1 - s, or as early as its new tokens allow.
struct Attention {
  static constexpr std::string_view name = "dense/attention";
  struct Problem {
    int rows, slots, context, heads, head_dim;
    Dtype dtype;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows},
                                              {"slots", &Problem::slots},
                                              {"context", &Problem::context},
                                              {"heads", &Problem::heads},
                                              {"head_dim", &Problem::head_dim}};
  struct Args {
    View q, slot, position, out;
    KvSpan kv;
  };
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref; cpu_rows, each row by itself: streams whole token rows of KV and splits the sequence at fixed
  /// blocks of keys, so a row's result depends neither on the team's size nor on the other rows; cpu_tiles,
  /// tiles of neighbouring rows of one slot share each block of KV (Dao et al., "FlashAttention",
  /// arXiv:2205.14135), other rows as in cpu_rows.
  static std::span<const VariantOf<Problem, Args>> variants();
};

void attention_ref(const Attention::Problem& problem, const Attention::Args& args);
void attention_cpu_rows(const Attention::Problem& problem, const Attention::Args& args);
void attention_cpu_tiles(const Attention::Problem& problem, const Attention::Args& args);

}  // namespace trisect::dense
