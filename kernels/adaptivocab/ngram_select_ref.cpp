#include <algorithm>
#include <map>
#include <vector>

#include "kernels/adaptivocab/ngram_count.hpp"
#include "kernels/adaptivocab/ngram_select.hpp"

namespace trisect::adaptivocab {
namespace {

using Gram = std::vector<std::int32_t>;

/// Longer ones first, then lexicographically.
struct Order {
  bool operator()(const Gram& a, const Gram& b) const {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  }
};

/// Which piece each token of the text is part of: the place of its first token.
using Pieces = std::vector<int>;

/// The live places of a candidate, with the pieces that each has.
std::vector<std::pair<int, int>> live_places(const Gram& gram, std::span<const std::int32_t> ids,
                                             const Pieces& piece, bool released) {
  const int length = static_cast<int>(gram.size()), size = static_cast<int>(ids.size());
  std::vector<std::pair<int, int>> live;
  for (int i = 0; i + length <= size; ++i) {
    if (!std::equal(gram.begin(), gram.end(), ids.begin() + i)) continue;
    const auto at = [&](int place) { return piece[static_cast<std::size_t>(place)]; };
    int pieces = 1;
    for (int j = i + 1; j < i + length; ++j) pieces += at(j) == j ? 1 : 0;
    const bool begins = at(i) == i, ends = i + length == size || at(i + length) == i + length;
    if (begins && ends && pieces >= (released ? length : 2)) live.emplace_back(i, pieces);
    i += length - 1;  // places are apart, whatever is live
  }
  return live;
}

}  // namespace

void ngram_select_ref(const NgramSelect::Problem& problem, const NgramSelect::Args& args) {
  const NgramCount::Problem counting{problem.tokens, problem.vocab, problem.n, problem.min_count};
  const std::int64_t most = NgramCount::capacity(counting);
  const Buffer grams(Dtype::kI32, most, problem.n), counts(Dtype::kI32, 1, most), rows(Dtype::kI32, 1, 1);
  ngram_count_ref(counting, {args.token, args.flag, grams.view(), counts.view(), rows.view()});
  std::map<Gram, int, Order> candidates;
  for (std::int32_t r = 0; r < *rows.as<std::int32_t>(); ++r) {
    const std::int32_t* row = grams.view().row<std::int32_t>(r);
    candidates[Gram(row, std::find(row, row + problem.n, -1))] = 0;
  }

  const bool released = problem.is_released != 0;
  const std::span ids(args.token.row<std::int32_t>(), static_cast<std::size_t>(problem.tokens));
  Pieces piece(ids.size());
  for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<int>(i);
  std::int32_t found = 0;
  for (; found < problem.add; ++found) {
    const Gram* best = nullptr;
    std::vector<std::pair<int, int>> best_live;
    int best_score = 0;
    for (const auto& [gram, unused] : candidates) {
      const auto live = live_places(gram, ids, piece, released);
      if (static_cast<int>(live.size()) < problem.min_count) continue;
      int score = 0;
      for (const auto& [place, pieces] : live) score += released ? pieces : pieces - 1;
      if (score <= best_score) continue;
      best = &gram;
      best_live = live;
      best_score = score;
    }
    if (best == nullptr) break;
    std::int32_t* row = args.gram.row<std::int32_t>(found);
    std::fill(std::copy(best->begin(), best->end(), row), row + problem.n, -1);
    args.count.row<std::int32_t>()[found] = static_cast<std::int32_t>(best_live.size());
    for (const auto& [place, pieces] : best_live) {
      for (std::size_t j = 1; j < best->size(); ++j) piece[static_cast<std::size_t>(place) + j] = place;
    }
  }
  *args.found.row<std::int32_t>() = found;
}

}  // namespace trisect::adaptivocab
