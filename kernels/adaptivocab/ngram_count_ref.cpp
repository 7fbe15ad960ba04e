#include <algorithm>
#include <map>
#include <vector>

#include "kernels/adaptivocab/ngram_count.hpp"

namespace trisect::adaptivocab {
namespace {

bool allowed(std::span<const std::int32_t> gram, const std::int32_t* flags) {
  bool all_digits = true;
  for (std::size_t i = 0; i < gram.size(); ++i) {
    const std::int32_t flag = flags[gram[i]];
    if ((flag & kBarrier) != 0 || (i > 0 && (flag & kStartsWord) != 0)) return false;
    all_digits = all_digits && (flag & kDigits) != 0;
  }
  return !all_digits;
}

}  // namespace

void ngram_count_ref(const NgramCount::Problem& problem, const NgramCount::Args& args) {
  const std::span ids(args.token.row<std::int32_t>(), static_cast<std::size_t>(problem.tokens));
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= problem.vocab)
      usage_error("token id {} is outside the vocabulary of {}", id, problem.vocab);
  }
  std::int32_t found = 0;
  for (int length = 2; length <= problem.n; ++length) {
    std::map<std::vector<std::int32_t>, int> counts;
    for (int i = 0; i + length <= problem.tokens; ++i) {
      const auto gram = ids.subspan(static_cast<std::size_t>(i), static_cast<std::size_t>(length));
      if (allowed(gram, args.flag.row<std::int32_t>())) ++counts[{gram.begin(), gram.end()}];
    }
    for (const auto& [gram, count] : counts) {
      if (count < problem.min_count) continue;
      std::int32_t* row = args.gram.row<std::int32_t>(found);
      std::fill(std::copy(gram.begin(), gram.end(), row), row + problem.n, -1);
      args.count.row<std::int32_t>()[found++] = count;
    }
  }
  *args.found.row<std::int32_t>() = found;
}

}  // namespace trisect::adaptivocab
