#include "kernels/adaptivocab/patch_decode.hpp"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "kernels/adaptivocab/ngrams.hpp"
#include "kernels/adaptivocab/patch_encode.hpp"
#include "kernels/core/random.hpp"

namespace trisect::adaptivocab {
namespace {

constexpr long kLeastForATeam = 1 << 15;

void check_ids(const PatchDecode::Problem& p, const PatchDecode::Args& args) {
  const std::int32_t* ids = args.token.row<std::int32_t>();
  for (int i = 0; i < p.tokens; ++i) {
    if (ids[i] < 0 || ids[i] >= p.vocab + p.entries) {
      usage_error("token id {} at {} is outside the vocabulary of {}", ids[i], i, p.vocab + p.entries);
    }
  }
}

int length_of(const PatchDecode::Problem& p, const std::int32_t* row) {
  int length = p.n;
  while (row[length - 1] < 0) --length;
  return length;
}

void patch_decode_ref(const PatchDecode::Problem& p, const PatchDecode::Args& args) {
  check_ids(p, args);
  std::vector<std::int32_t> out;
  for (int i = 0; i < p.tokens; ++i) {
    const std::int32_t id = args.token.row<std::int32_t>()[i];
    if (id < p.vocab) {
      out.push_back(id);
      continue;
    }
    const std::int32_t* row = args.pattern.row<std::int32_t>(id - p.vocab);
    out.insert(out.end(), row, row + length_of(p, row));
  }
  std::copy(out.begin(), out.end(), args.out.row<std::int32_t>());
  *args.found.row<std::int32_t>() = static_cast<std::int32_t>(out.size());
}

/// Each thread measures its stretch, learns where it begins, and writes it.
void patch_decode_cpu(const PatchDecode::Problem& p, const PatchDecode::Args& args) {
  check_ids(p, args);
  const std::int32_t* ids = args.token.row<std::int32_t>();
  std::vector<std::int64_t> ends(static_cast<std::size_t>(omp_get_max_threads()) + 1);
#pragma omp parallel if (p.tokens >= kLeastForATeam)
  {
    const auto self = static_cast<std::size_t>(omp_get_thread_num());
    const int threads = omp_get_num_threads();
    const auto first = static_cast<int>(std::int64_t{p.tokens} * omp_get_thread_num() / threads);
    const auto last = static_cast<int>(std::int64_t{p.tokens} * (omp_get_thread_num() + 1) / threads);
    std::int64_t size = 0;
    for (int i = first; i < last; ++i) {
      size += ids[i] < p.vocab ? 1 : length_of(p, args.pattern.row<std::int32_t>(ids[i] - p.vocab));
    }
    ends[self + 1] = size;
#pragma omp barrier
#pragma omp single
    for (std::size_t t = 1; t < ends.size(); ++t) ends[t] += ends[t - 1];
    std::int32_t* out = args.out.row<std::int32_t>() + ends[self];
    for (int i = first; i < last; ++i) {
      if (ids[i] < p.vocab) {
        *out++ = ids[i];
        continue;
      }
      const std::int32_t* row = args.pattern.row<std::int32_t>(ids[i] - p.vocab);
      out = std::copy_n(row, length_of(p, row), out);
    }
  }
  *args.found.row<std::int32_t>() = static_cast<std::int32_t>(ends.back());
}

}  // namespace

PatchDecode::Args PatchDecode::make(const Problem& p, Arena& arena) {
  const auto tokens = text_like_tokens(p.tokens, p.vocab + p.entries, 3);
  return {arena.integers(tokens),
          pattern_input(arena, text_like_tokens(8 * p.entries + 64, p.vocab, 1), p.entries, p.n),
          arena.output(Dtype::kI32, 1, std::int64_t{p.tokens} * p.n), arena.output(Dtype::kI32, 1, 1)};
}

Cost PatchDecode::cost(const Problem& p) { return {4.0 * p.tokens, 4.0 * p.tokens, 0}; }

Check PatchDecode::check(const Problem&, const Args& got, const Args& want) {
  const Check found = check_equal(got.found, want.found);
  if (found.status != CheckStatus::kPass) return found;
  const std::int64_t ids = *want.found.row<std::int32_t>();
  return check_equal(got.out.columns(0, ids), want.out.columns(0, ids));
}

std::vector<PatchDecode::Problem> PatchDecode::odd_problems() {
  return {{1, 1, 1, 2}, {50, 1, 3, 4}, {1000, 5, 40, 3}, {2000, 300, 200, 5}, {70001, 3000, 200, 4}};
}

std::span<const PatchDecode::Variant> PatchDecode::variants() {
  static const Variant table[] = {
      {.name = "ref", .run = patch_decode_ref},
      {.name = "cpu", .run = patch_decode_cpu},
  };
  return table;
}

}  // namespace trisect::adaptivocab
