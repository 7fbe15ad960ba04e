#include <algorithm>
#include <map>
#include <vector>

#include "kernels/adaptivocab/ngram_count.hpp"
#include "kernels/adaptivocab/ngram_select.hpp"

namespace trisect::adaptivocab {
namespace {

using Gram = std::vector<std::int32_t>;
using Places = std::vector<int>;

/// Longer ones first, then lexicographically.
struct Order {
  bool operator()(const Gram& a, const Gram& b) const {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  }
};

/// Each with its places from left to right, apart from each other.
std::map<Gram, Places, Order> candidates_of(const NgramSelect::Problem& problem,
                                            const NgramSelect::Args& args,
                                            std::span<const std::int32_t> ids) {
  const NgramCount::Problem counting{problem.tokens, problem.vocab, problem.n, problem.min_count};
  const std::int64_t most = NgramCount::capacity(counting);
  const Buffer grams(Dtype::kI32, most, problem.n), counts(Dtype::kI32, 1, most), rows(Dtype::kI32, 1, 1);
  ngram_count_ref(counting, {args.token, args.flag, grams.view(), counts.view(), rows.view()});
  std::map<Gram, Places, Order> candidates;
  for (std::int32_t r = 0; r < *rows.as<std::int32_t>(); ++r) {
    const std::int32_t* row = grams.view().row<std::int32_t>(r);
    candidates[Gram(row, std::find(row, row + problem.n, -1))] = {};
  }
  for (int length = 2; length <= problem.n; ++length) {
    for (int i = 0; i + length <= problem.tokens; ++i) {
      const auto found = candidates.find(Gram(ids.begin() + i, ids.begin() + i + length));
      if (found == candidates.end()) continue;
      Places& places = found->second;
      if (places.empty() || places.back() + length <= i) places.push_back(i);
    }
  }
  return candidates;
}

/// Pieces of the n-gram at a place where it is live, else 0. `starts`: where pieces begin, and the end.
int live_pieces(const std::vector<bool>& starts, int place, std::size_t length, bool released) {
  const auto at = starts.begin() + place;
  const auto size = static_cast<std::ptrdiff_t>(length);
  if (!at[0] || !at[size]) return 0;
  const auto pieces = std::count(at, at + size, true);
  return pieces < (released ? size : 2) ? 0 : static_cast<int>(pieces);
}

}  // namespace

void ngram_select_ref(const NgramSelect::Problem& problem, const NgramSelect::Args& args) {
  const std::span ids(args.token.row<std::int32_t>(), static_cast<std::size_t>(problem.tokens));
  const auto candidates = candidates_of(problem, args, ids);
  const bool released = problem.is_released != 0;
  std::vector<bool> starts(ids.size() + 1, true);
  std::int32_t found = 0;
  for (; found < problem.add; ++found) {
    const std::pair<const Gram, Places>* best = nullptr;
    int best_score = 0, best_live = 0;
    for (const auto& candidate : candidates) {
      int score = 0, live = 0;
      for (const int place : candidate.second) {
        const int pieces = live_pieces(starts, place, candidate.first.size(), released);
        if (pieces == 0) continue;
        ++live;
        score += released ? pieces : pieces - 1;
      }
      if (live < problem.min_count || score <= best_score) continue;
      best = &candidate;
      best_score = score;
      best_live = live;
    }
    if (best == nullptr) break;
    const Gram& gram = best->first;
    std::int32_t* row = args.gram.row<std::int32_t>(found);
    std::fill(std::copy(gram.begin(), gram.end(), row), row + problem.n, -1);
    args.count.row<std::int32_t>()[found] = best_live;
    for (const int place : best->second) {
      if (live_pieces(starts, place, gram.size(), released) == 0) continue;
      std::fill_n(starts.begin() + place + 1, gram.size() - 1, false);
    }
  }
  *args.found.row<std::int32_t>() = found;
}

}  // namespace trisect::adaptivocab
