#include "kernels/adaptivocab/ngrams.hpp"

#include <algorithm>
#include <bit>

#include "kernels/adaptivocab/radix_sort.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"

namespace trisect::adaptivocab {
namespace {

constexpr std::int32_t kRare = -1;

void check_ids(const View& token, std::int64_t vocab) {
  const std::int32_t* ids = token.row<std::int32_t>();
  for (std::int64_t i = 0; i < token.cols; ++i) {
    if (ids[i] < 0 || ids[i] >= vocab) {
      usage_error("token id {} at {} is outside the vocabulary of {}", ids[i], i, vocab);
    }
  }
}

/// The level of one length more than that of `index`, which holds the index of the n-gram at every place, or
/// kRare; it is overwritten with those of the new level.
NgramLevel next_level(const View& token, const View& flag, int length, int min_count,
                      std::vector<std::int32_t>& index, std::vector<KeyedPlace>& places,
                      std::vector<KeyedPlace>& spare) {
  const std::int32_t* ids = token.row<std::int32_t>();
  const std::int32_t* flags = flag.row<std::int32_t>();
  const int token_bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(flag.cols)));
  std::uint64_t most = 0;
  places.clear();
  for (std::int64_t i = 0; i + length <= token.cols; ++i) {
    const std::size_t at = static_cast<std::size_t>(i);
    const std::int32_t last = ids[i + length - 1];
    if (index[at] == kRare || index[at + 1] == kRare || (flags[last] & kStartsWord) != 0) continue;
    const auto prefix = static_cast<std::uint64_t>(index[at]);
    most = std::max(most, prefix);
    places.push_back(
        {prefix << token_bits | static_cast<std::uint64_t>(last), static_cast<std::uint32_t>(i)});
  }
  radix_sort(places, spare, token_bits + static_cast<int>(std::bit_width(most)));

  NgramLevel level;
  level.length = length;
  std::fill(index.begin(), index.end(), kRare);
  for (std::size_t first = 0, end; first < places.size(); first = end) {
    end = first;
    while (end < places.size() && places[end].key == places[first].key) ++end;
    if (end - first < static_cast<std::size_t>(min_count)) continue;
    for (std::size_t i = first; i < end; ++i) {
      index[places[i].place] = static_cast<std::int32_t>(level.size());
      level.position.push_back(places[i].place);
    }
    level.begin.push_back(static_cast<std::uint32_t>(level.position.size()));
  }
  return level;
}

}  // namespace

std::vector<NgramLevel> index_ngrams(const View& token, const View& flag, int n, int min_count) {
  check_ids(token, flag.cols);
  const std::int32_t* ids = token.row<std::int32_t>();
  std::vector<std::int32_t> index(static_cast<std::size_t>(token.cols));
  std::transform(ids, ids + token.cols, index.begin(), [&](std::int32_t id) {
    return (flag.row<std::int32_t>()[id] & kBarrier) != 0 ? kRare : id;
  });
  std::vector<KeyedPlace> places, spare;
  std::vector<NgramLevel> levels;
  for (int length = 2; length <= n; ++length) {
    levels.push_back(next_level(token, flag, length, min_count, index, places, spare));
  }
  return levels;
}

bool only_digits(std::span<const std::int32_t> gram, const View& flag) {
  return std::all_of(gram.begin(), gram.end(),
                     [&](std::int32_t id) { return (flag.row<std::int32_t>()[id] & kDigits) != 0; });
}

std::vector<std::int32_t> text_like_tokens(int count, int vocab, Seed seed) {
  std::vector<std::int32_t> ids;
  ids.reserve(static_cast<std::size_t>(count));
  std::uint64_t previous = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t bits = random_bits(seed, static_cast<std::uint64_t>(i));
    const std::uint64_t size = static_cast<std::uint64_t>(vocab);
    if (bits % 4 != 0) {
      previous = random_bits(seed + 1, previous * 4 + (bits >> 8) % 4) % size;  // one of four successors
    } else {
      const double unit = random_unit(seed + 2, static_cast<std::uint64_t>(i));
      previous = static_cast<std::uint64_t>(unit * unit * unit * static_cast<double>(size));
    }
    ids.push_back(static_cast<std::int32_t>(previous));
  }
  return ids;
}

std::vector<std::int32_t> strewn_flags(int vocab, Seed seed) {
  std::vector<std::int32_t> flags(static_cast<std::size_t>(vocab));
  if (vocab < 9) return flags;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const std::uint64_t draw = random_bits(seed, i) % 16;
    flags[i] = draw == 0 ? kBarrier : draw < 3 ? kStartsWord : draw < 6 ? kDigits : 0;
  }
  return flags;
}

std::vector<std::int32_t> patterns_from(std::span<const std::int32_t> tokens, int entries, int n) {
  constexpr Seed kSeed = 4;
  std::vector<std::int32_t> patterns;
  patterns.reserve(static_cast<std::size_t>(entries) * static_cast<std::size_t>(n));
  for (int e = 0; e < entries; ++e) {
    const std::uint64_t bits = random_bits(kSeed, static_cast<std::uint64_t>(e));
    const int length = 2 + static_cast<int>((bits >> 40) % static_cast<std::uint64_t>(n - 1));
    for (int i = 0; i < n; ++i) {
      patterns.push_back(i < length ? tokens[(bits + static_cast<std::uint64_t>(i)) % tokens.size()] : -1);
    }
  }
  return patterns;
}

}  // namespace trisect::adaptivocab
