#include "kernels/adaptivocab/ngram_count.hpp"

#include <algorithm>

#include "kernels/adaptivocab/ngram_count_cuda.hpp"

namespace trisect::adaptivocab {

void ngram_count_sort(const NgramCount::Problem& problem, const NgramCount::Args& args) {
  const std::int32_t* ids = args.token.row<std::int32_t>();
  std::int32_t found = 0;
  for (const NgramLevel& level : index_ngrams(args.token, args.flag, problem.n, problem.min_count)) {
    for (int g = 0; g < level.size(); ++g) {
      const auto places = level.places(g);
      const std::span gram(ids + places[0], static_cast<std::size_t>(level.length));
      if (only_digits(gram, args.flag)) continue;
      std::int32_t* row = args.gram.row<std::int32_t>(found);
      std::fill(std::copy(gram.begin(), gram.end(), row), row + problem.n, -1);
      args.count.row<std::int32_t>()[found++] = static_cast<std::int32_t>(places.size());
    }
  }
  *args.found.row<std::int32_t>() = found;
}

std::int64_t NgramCount::capacity(const Problem& p) {
  std::int64_t most = 0;
  for (int length = 2; length <= p.n; ++length) most += std::max(0, p.tokens - length + 1) / p.min_count;
  return most;
}

NgramCount::Args NgramCount::make(const Problem& p, Arena& arena) {
  const auto tokens = text_like_tokens(p.tokens, p.vocab, 1), flags = strewn_flags(p.vocab, 2);
  const std::int64_t rows = capacity(p);
  return {arena.integers(tokens), arena.integers(flags), arena.output(Dtype::kI32, rows, p.n),
          arena.output(Dtype::kI32, 1, rows), arena.output(Dtype::kI32, 1, 1)};
}

Cost NgramCount::cost(const Problem& p) {
  return {4.0 * p.tokens + 4.0 * p.vocab, 0, 0};  // what is written depends on the text
}

Check check_rows(const View& got, const View& want, const View& got_found, const View& want_found) {
  const Check found = check_equal(got_found, want_found);
  if (found.status != CheckStatus::kPass) return found;
  const std::int64_t rows = *want_found.row<std::int32_t>();
  return check_equal(got.rows_from(0, rows), want.rows_from(0, rows));
}

Check NgramCount::check(const Problem&, const Args& got, const Args& want) {
  const Check grams = check_rows(got.gram, want.gram, got.found, want.found);
  if (grams.status != CheckStatus::kPass) return grams;
  const std::int64_t rows = *want.found.row<std::int32_t>();
  return check_equal(got.count.columns(0, rows), want.count.columns(0, rows));
}

std::vector<NgramCount::Problem> NgramCount::odd_problems() {
  return {{0, 5, 3, 1},   {1, 1, 2, 1},    {2, 1, 2, 1},     {50, 1, 4, 2},     {3, 5, 4, 1},
          {200, 3, 4, 2}, {1000, 7, 3, 2}, {1000, 40, 4, 1}, {5000, 300, 4, 3}, {9000, 70000, 3, 2}};
}

std::span<const NgramCount::Variant> NgramCount::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = ngram_count_ref},
      {.name = "cpu_sort", .run = ngram_count_sort},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, ngram_count_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::adaptivocab
