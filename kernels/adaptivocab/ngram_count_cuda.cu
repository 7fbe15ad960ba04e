// The n-grams of one length after the other, from the keys that occur often enough: their tokens, the rows
// of the result, and the index that the next length starts from.
//
// Launch: 256 threads, a place or an n-gram each. No shared memory.
#include <algorithm>
#include <bit>
#include <cub/device/device_scan.cuh>
#include <functional>
#include <utility>

#include "kernels/adaptivocab/ngram_count_cuda.hpp"
#include "kernels/adaptivocab/ngram_key.cuh"
#include "kernels/core/device.hpp"

namespace trisect::adaptivocab {
namespace {

using cuda::DeviceBuffer;
using Problem = NgramCount::Problem;
using Args = NgramCount::Args;
using Key = std::uint64_t;

constexpr std::int64_t kChunk = std::int64_t{1} << 24;  // 0.5 GB

/// The ids as indices of n-grams of one token; *bad is the first place of one that is outside the vocabulary.
__global__ void __launch_bounds__(kNgramThreads)
    ngram_tokens_kernel(const std::int32_t* ids, const std::int32_t* flags, std::int32_t vocab,
                        std::int64_t tokens, std::int32_t* index, unsigned* bad) {
  const std::int64_t i = ngram_item();
  if (i >= tokens) return;
  const std::int32_t id = ids[i];
  if (id < 0 || id >= vocab) {
    atomicMin(bad, static_cast<unsigned>(i));
  } else {
    index[i] = (flags[id] & kBarrier) != 0 ? NgramKeys::kRarePlace : id;
  }
}

/// The n-grams of a length that occur often enough.
struct Grams {
  const Key* keys;  // ascending
  std::int64_t size;
  std::int32_t* tokens;  // [size][length]
};

/// The tokens of each: those of the n-gram before its last token, and that. keep[size] is 0, for the sum.
__global__ void __launch_bounds__(kNgramThreads)
    ngram_expand_kernel(NgramKeys keys, Grams grams, const std::int32_t* before, std::int32_t* keep) {
  const std::int64_t g = ngram_item();
  if (g > grams.size) return;
  if (g == grams.size) {
    keep[g] = 0;
    return;
  }
  const Key key = grams.keys[g];
  const auto prefix = static_cast<std::int64_t>(key >> keys.token_bits);
  std::int32_t* const tokens = grams.tokens + g * keys.length;
  const int last = keys.length - 1;
  for (int k = 0; k < last; ++k) {
    tokens[k] = before == nullptr ? static_cast<std::int32_t>(prefix) : before[prefix * last + k];
  }
  tokens[last] = static_cast<std::int32_t>(key & ((Key{1} << keys.token_bits) - 1));
  bool digits = true;
  for (int k = 0; k <= last; ++k) digits = digits && (keys.flags[tokens[k]] & kDigits) != 0;
  keep[g] = digits ? 0 : 1;
}

/// Those that are kept, one row each; row[g] is how many are before g.
__global__ void __launch_bounds__(kNgramThreads)
    ngram_rows_kernel(Grams grams, int length, const std::int32_t* counts, const std::int32_t* row,
                      std::int32_t* to, std::int64_t stride, int n, std::int32_t* to_count) {
  const std::int64_t g = ngram_item();
  if (g >= grams.size || row[g + 1] == row[g]) return;
  std::int32_t* const out = to + row[g] * stride;
  for (int k = 0; k < n; ++k) out[k] = k < length ? grams.tokens[g * length + k] : -1;
  to_count[row[g]] = counts[g];
}

/// The index of the n-gram at every place, for the next length.
__global__ void __launch_bounds__(kNgramThreads)
    ngram_index_kernel(NgramKeys keys, Key none, Grams grams, std::int64_t tokens) {
  const std::int64_t i = ngram_item();
  if (i >= tokens) return;
  std::int32_t found = NgramKeys::kRarePlace;
  if (const Key key = i < keys.places ? key_at(keys, i, none) : none; key != none) {
    std::int64_t low = 0, high = grams.size;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (grams.keys[middle] < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low < grams.size && grams.keys[low] == key) found = static_cast<std::int32_t>(low);
  }
  keys.index[i] = found;
}

template <class T>
T fetched(const T* from) {
  T value;
  cuda_memory().download(&value, from, sizeof value);
  return value;
}

DeviceBuffer integers(std::int64_t count) {
  return DeviceBuffer(sizeof(std::int32_t) * static_cast<std::size_t>(count));
}

/// index_ngrams()'s error, and its index of single tokens.
void index_tokens(const Problem& p, const Args& a, std::int32_t* index, cudaStream_t stream) {
  const DeviceBuffer bad(sizeof(unsigned));
  TRISECT_CUDA_CALL(cudaMemsetAsync(bad.data(), 0xff, bad.bytes(), stream));
  ngram_tokens_kernel<<<blocks_for(p.tokens), kNgramThreads, 0, stream>>>(
      a.token.row<std::int32_t>(), a.flag.row<std::int32_t>(), p.vocab, p.tokens, index, bad.as<unsigned>());
  TRISECT_CUDA_LAUNCHED(ngram_tokens_kernel);
  const unsigned at = fetched(bad.as<unsigned>());
  if (at < static_cast<unsigned>(p.tokens)) {
    usage_error("token id {} at {} is outside the vocabulary of {}",
                fetched(a.token.row<std::int32_t>() + at), at, p.vocab);
  }
}

using FrequentRuns = std::function<NgramRuns(const NgramKeys&)>;

void count_levels(const Problem& p, const Args& a, const FrequentRuns& frequent) {
  const cudaStream_t stream = cuda::current_stream().get();
  std::int32_t found = 0;
  const DeviceBuffer index = integers(p.tokens);
  if (p.tokens > 0) index_tokens(p, a, index.as<std::int32_t>(), stream);
  DeviceBuffer tokens;  // of the n-grams of the length before
  std::int64_t prefixes = p.vocab;
  const int token_bits = static_cast<int>(std::bit_width(static_cast<Key>(p.vocab) - 1));
  for (int length = 2; length <= std::min(p.n, p.tokens) && prefixes > 0; ++length) {
    const Key most = static_cast<Key>(prefixes - 1) << token_bits | static_cast<Key>(p.vocab - 1);
    const NgramKeys keys{a.token.row<std::int32_t>(),
                         a.flag.row<std::int32_t>(),
                         index.as<std::int32_t>(),
                         p.tokens - length + 1,
                         length,
                         token_bits,
                         static_cast<int>(std::bit_width(most + 1))};
    const NgramRuns runs = frequent(keys);
    prefixes = runs.size;
    if (runs.size == 0) break;
    DeviceBuffer own = integers(runs.size * length);
    const Grams grams{runs.keys.as<Key>(), runs.size, own.as<std::int32_t>()};
    const DeviceBuffer keep = integers(runs.size + 1), row = integers(runs.size + 1);
    ngram_expand_kernel<<<blocks_for(runs.size + 1), kNgramThreads, 0, stream>>>(
        keys, grams, length == 2 ? nullptr : tokens.as<std::int32_t>(), keep.as<std::int32_t>());
    TRISECT_CUDA_LAUNCHED(ngram_expand_kernel);
    with_memory([&](void* memory, std::size_t& bytes) {
      return cub::DeviceScan::ExclusiveSum(memory, bytes, keep.as<std::int32_t>(), row.as<std::int32_t>(),
                                           runs.size + 1, stream);
    });
    ngram_rows_kernel<<<blocks_for(runs.size), kNgramThreads, 0, stream>>>(
        grams, length, runs.counts.as<std::int32_t>(), row.as<std::int32_t>(),
        a.gram.row<std::int32_t>() + found * a.gram.stride, a.gram.stride, p.n,
        a.count.row<std::int32_t>() + found);
    TRISECT_CUDA_LAUNCHED(ngram_rows_kernel);
    if (length < p.n) {
      ngram_index_kernel<<<blocks_for(p.tokens), kNgramThreads, 0, stream>>>(keys, keys.none(), grams,
                                                                             p.tokens);
      TRISECT_CUDA_LAUNCHED(ngram_index_kernel);
    }
    found += fetched(row.as<std::int32_t>() + runs.size);  // waits, so that what is queued has run
    tokens = std::move(own);
  }
  cuda_memory().upload(a.found.row<std::int32_t>(), &found, sizeof found);
}

/// What the device lacks, in terms of what was asked.
void count_on_device(const Problem& p, const Args& a, const FrequentRuns& frequent) {
  try {
    count_levels(p, a, frequent);
  } catch (const cuda::CudaError& error) {
    if (error.status() != cudaErrorMemoryAllocation) throw;
    environment_error(
        "{}: the device has too little free memory for {} tokens beside them and the result; count on the "
        "CPU, or a part "
        "of the text ({})",
        NgramCount::name, p.tokens, error.what());
  }
}

void count_by_sort(const Problem& p, const Args& a) { ngram_count_cuda_sort(p, a, kChunk); }

}  // namespace

void ngram_count_cuda_sort(const Problem& p, const Args& a, std::int64_t chunk) {
  count_on_device(p, a, [&](const NgramKeys& keys) { return runs_by_sort(keys, p.min_count, chunk); });
}

void ngram_count_cuda_hash(const Problem& p, const Args& a) {
  count_on_device(p, a, [&](const NgramKeys& keys) { return runs_by_hash(keys, p.min_count); });
}

std::span<const NgramCount::Variant> ngram_count_cuda_variants() {
  static const NgramCount::Variant table[] = {
      {.name = "cuda_hash", .device = Device::kCuda, .available = on_cuda, .run = ngram_count_cuda_hash},
      {.name = "cuda_sort", .device = Device::kCuda, .available = on_cuda, .run = count_by_sort},
  };
  return table;
}

}  // namespace trisect::adaptivocab
