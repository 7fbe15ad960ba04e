#include "kernels/adaptivocab/ngram_select.hpp"

#include <algorithm>
#include <queue>
#include <tuple>

#include "kernels/adaptivocab/ngram_count.hpp"

namespace trisect::adaptivocab {
namespace {

struct Score {
  std::int64_t value = 0;
  std::int32_t live = 0;
};

struct Candidate {
  std::int64_t score;
  std::int32_t length, index;

  /// Whether `other` comes first.
  bool operator<(const Candidate& other) const {
    return std::tuple(score, length, -index) < std::tuple(other.score, other.length, -other.index);
  }
};

/// The text and its pieces so far.
class Pieces {
 public:
  Pieces(std::int64_t tokens, bool released)
      : starts_(static_cast<std::size_t>(tokens) + 1, 1), released_(released) {}

  Score score(const NgramLevel& level, int g) const {
    Score score;
    for (const std::uint32_t place : level.places(g)) {
      const int pieces = live_pieces(place, level.length);
      if (pieces < 2) continue;
      ++score.live;
      score.value += released_ ? pieces : pieces - 1;
    }
    return score;
  }

  void join(const NgramLevel& level, int g) {
    for (const std::uint32_t place : level.places(g)) {
      if (live_pieces(place, level.length) < 2) continue;
      std::fill_n(starts_.begin() + place + 1, level.length - 1, std::uint8_t{0});
    }
  }

 private:
  /// Pieces of the n-gram there; 0 when the place is not live.
  int live_pieces(std::uint32_t place, int length) const {
    const std::uint8_t* start = starts_.data() + place;
    if (start[0] == 0 || start[length] == 0) return 0;
    int pieces = 0;
    for (int i = 0; i < length; ++i) pieces += start[i];
    return released_ && pieces < length ? 0 : pieces;
  }

  std::vector<std::uint8_t> starts_;  // 1 where a piece begins, and at the end
  bool released_;
};

/// Leaves out the places that overlap the last one kept.
void keep_apart(NgramLevel& level) {
  std::uint32_t kept = 0;
  for (int g = 0; g < level.size(); ++g) {
    const auto places = level.places(g);
    const std::uint32_t first = kept;
    std::uint64_t free_from = 0;
    for (const std::uint32_t place : places) {
      if (place < free_from) continue;
      level.position[kept++] = place;
      free_from = std::uint64_t{place} + static_cast<std::uint64_t>(level.length);
    }
    level.begin[static_cast<std::size_t>(g)] = first;
  }
  level.begin.back() = kept;
}

}  // namespace

void ngram_select_heap(const NgramSelect::Problem& problem, const NgramSelect::Args& args) {
  std::vector<NgramLevel> levels = index_ngrams(args.token, args.flag, problem.n, problem.min_count);
  const std::int32_t* ids = args.token.row<std::int32_t>();
  const auto gram_of = [&](const Candidate& one) {
    const NgramLevel& level = levels[static_cast<std::size_t>(one.length - 2)];
    return std::span(ids + level.places(one.index)[0], static_cast<std::size_t>(one.length));
  };
  std::vector<Candidate> candidates;
  for (NgramLevel& level : levels) {
    keep_apart(level);
    for (int g = 0; g < level.size(); ++g) {
      const auto count = static_cast<std::int64_t>(level.places(g).size());
      const Candidate candidate{count * (problem.is_released != 0 ? level.length : level.length - 1),
                                level.length, g};
      if (count >= problem.min_count && !only_digits(gram_of(candidate), args.flag))
        candidates.push_back(candidate);
    }
  }
  std::priority_queue<Candidate> heap({}, std::move(candidates));

  Pieces pieces(args.token.cols, problem.is_released != 0);
  std::int32_t found = 0;
  while (found < problem.add && !heap.empty()) {
    Candidate best = heap.top();
    heap.pop();
    const NgramLevel& level = levels[static_cast<std::size_t>(best.length - 2)];
    const Score now = pieces.score(level, best.index);
    if (now.live < problem.min_count) continue;
    if (now.value < best.score) {
      best.score = now.value;
      heap.push(best);
      continue;
    }
    pieces.join(level, best.index);
    const auto gram = gram_of(best);
    std::int32_t* row = args.gram.row<std::int32_t>(found);
    std::fill(std::copy(gram.begin(), gram.end(), row), row + problem.n, -1);
    args.count.row<std::int32_t>()[found++] = now.live;
  }
  *args.found.row<std::int32_t>() = found;
}

NgramSelect::Args NgramSelect::make(const Problem& p, Arena& arena) {
  const auto tokens = text_like_tokens(p.tokens, p.vocab, 1), flags = strewn_flags(p.vocab, 2);
  return {arena.integers(tokens), arena.integers(flags), arena.output(Dtype::kI32, p.add, p.n),
          arena.output(Dtype::kI32, 1, p.add), arena.output(Dtype::kI32, 1, 1)};
}

Cost NgramSelect::cost(const Problem& p) {
  return {4.0 * p.tokens + 4.0 * p.vocab, 4.0 * p.add * (p.n + 1),
          0};  // how often it looks depends on the text
}

Check NgramSelect::check(const Problem&, const Args& got, const Args& want) {
  const Check grams = check_rows(got.gram, want.gram, got.found, want.found);
  if (grams.status != CheckStatus::kPass) return grams;
  const std::int64_t rows = *want.found.row<std::int32_t>();
  return check_equal(got.count.columns(0, rows), want.count.columns(0, rows));
}

std::vector<NgramSelect::Problem> NgramSelect::odd_problems() {
  std::vector<Problem> problems;
  for (const int released : {0, 1}) {
    problems.push_back({1, 1, 2, 1, 1, released});
    problems.push_back({50, 1, 4, 1, 5, released});
    problems.push_back({200, 3, 4, 2, 30, released});
    problems.push_back({600, 7, 3, 2, 40, released});
    problems.push_back({800, 60, 4, 2, 50, released});
    problems.push_back({1000, 300, 3, 3, 300, released});
  }
  return problems;
}

std::span<const NgramSelect::Variant> NgramSelect::variants() {
  static const Variant table[] = {
      {.name = "ref", .run = ngram_select_ref},
      {.name = "cpu_heap", .run = ngram_select_heap},
  };
  return table;
}

}  // namespace trisect::adaptivocab
