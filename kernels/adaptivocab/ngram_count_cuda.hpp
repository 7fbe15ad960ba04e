// Counting n-grams on the GPU. Args are device memory; a call waits for sizes that the device finds out.
//
// Length by length, as index_ngrams() does: of each n-gram the key is the index of the frequent n-gram that
// it has without its last token (of two tokens: the first), and that last token below it. So a key of any
// length has at most 62 bits, 34 for pairs of phi-2's tokens, and keys ascend as the n-grams do. Then
// whatever occurs often enough gets an index of its own, ascending too, for the next length.
#pragma once

#include "kernels/adaptivocab/ngram_count.hpp"
#include "kernels/core/cuda/memory.hpp"

namespace trisect::adaptivocab {

std::span<const NgramCount::Variant> ngram_count_cuda_variants();

/// Sorts the keys of `chunk` places at a time and merges the counts of the chunks, so that what it needs
/// beside its arguments is 4 bytes a token, some 32 a place of the chunk, and at most 48 for each different
/// n-gram of one length. Throws Error(kEnvironment) in one line where the device has less; so does the other.
void ngram_count_cuda_sort(const NgramCount::Problem& problem, const NgramCount::Args& args,
                           std::int64_t chunk);

/// Keys counted in a table of twice as many slots as places, 24 to 48 bytes a token; only those that occur
/// often enough are sorted.
void ngram_count_cuda_hash(const NgramCount::Problem& problem, const NgramCount::Args& args);

/// The n-grams of one length and where they may be.
struct NgramKeys {
  const std::int32_t *ids, *flags;
  std::int32_t* index;  ///< of the frequent n-gram of length - 1 at every place, or kRarePlace
  std::int64_t places;  ///< tokens - length + 1
  int length, token_bits, bits;

  static constexpr std::int32_t kRarePlace = -1;
  /// Above all keys: no n-gram is there.
  std::uint64_t none() const { return (std::uint64_t{1} << bits) - 1; }
};

/// Different keys, ascending, and how often each occurs.
struct NgramRuns {
  cuda::DeviceBuffer keys, counts;  ///< u64, i32
  std::int64_t size = 0;
};

NgramRuns runs_by_sort(const NgramKeys& keys, int min_count, std::int64_t chunk);
NgramRuns runs_by_hash(const NgramKeys& keys, int min_count);

}  // namespace trisect::adaptivocab
