#include <algorithm>
#include <vector>

#include "kernels/dense/attention_cuda.hpp"
#include "kernels/dense/attention_detail.hpp"

namespace trisect::dense {
namespace {

std::vector<std::int32_t> slots_of(const Attention::Problem& p) {
  std::vector<std::int32_t> slot;
  for (int r = 0; r < p.rows; ++r) slot.push_back(r / (p.rows / p.slots));
  return slot;
}

std::vector<std::int32_t> positions_of(const Attention::Problem& p) {
  const int each = p.rows / p.slots;
  std::vector<std::int32_t> position;
  for (int s = 0; s < p.slots; ++s) {
    const int last = std::max(p.context - 1 - s, each - 1);
    for (int i = 0; i < each; ++i) position.push_back(last - (each - 1) + i);
  }
  return position;
}

}  // namespace

void attention_cpu_rows(const Attention::Problem& problem, const Attention::Args& args) {
  attend_rows(problem, args, 0, problem.rows);
}

void attention_cpu_tiles(const Attention::Problem& problem, const Attention::Args& args) {
  constexpr int kFewestRows = 4;
  const std::int32_t* slot = args.slot.row<std::int32_t>();
  thread_local std::vector<Tile> tiles;
  tiles.clear();
  int single = 0;  // rows [single, first) belong to no tile
  for (int first = 0, last = 0; first < problem.rows; first = last) {
    while (last < problem.rows && last - first < Tile::kMostRows && slot[last] == slot[first]) ++last;
    if (last - first < kFewestRows) continue;
    if (single < first) attend_rows(problem, args, single, first);
    tiles.push_back({first, last - first});
    single = last;
  }
  if (single < problem.rows) attend_rows(problem, args, single, problem.rows);
  attend_tiles(problem, args, tiles);
}

Cost Attention::cost(const Problem& p) {
  const double width = double{1} * p.heads * p.head_dim;
  const std::vector<std::int32_t> position = positions_of(p);
  double keys_read = 0, keys_used = 0;
  for (int s = 1; s <= p.slots; ++s)
    keys_read += position[static_cast<std::size_t>(p.rows / p.slots * s - 1)] + 1;
  for (const std::int32_t last : position) keys_used += last + 1;
  return {2 * keys_read * width * static_cast<double>(size_of(p.dtype)) + 4 * p.rows * (width + 2),
          4 * p.rows * width, 4 * keys_used * width};
}

Attention::Args Attention::make(const Problem& p, Arena& arena) {
  const std::int64_t width = std::int64_t{1} * p.heads * p.head_dim;
  const std::int64_t context = std::max(p.context, p.rows / p.slots);
  const View q = arena.input(Dtype::kF32, p.rows, width);
  const View k = arena.weight(p.dtype, p.slots * context, width, 1),
             v = arena.weight(p.dtype, p.slots * context, width, 1);
  const std::int64_t token = width * static_cast<std::int64_t>(size_of(p.dtype));
  return {q,
          arena.integers(slots_of(p)),
          arena.integers(positions_of(p)),
          arena.output(Dtype::kF32, p.rows, width),
          {k.byte_row(0), v.byte_row(0), context * token, token, p.dtype}};
}

Check Attention::check(const Problem&, const Args& got, const Args& want) {
  return check_close(got.out, want.out, 1e-5);
}

std::vector<Attention::Problem> Attention::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    problems.push_back({1, 1, 1, 1, 1, type});
    problems.push_back({1, 1, 2048, 4, 80, type});  // decode
    problems.push_back({1, 1, 65, 3, 33, type});
    problems.push_back({7, 7, 130, 2, 64, type});
    problems.push_back({64, 64, 70, 1, 32, type});
    problems.push_back({5, 1, 5, 3, 80, type});  // prefill
    problems.push_back({133, 1, 133, 2, 80, type});
    problems.push_back({37, 1, 300, 2, 64, type});  // its second block
    problems.push_back({12, 3, 90, 2, 47, type});
    problems.push_back({6, 3, 100, 5, 32, type});  // a few rows each
    problems.push_back({70, 1, 700, 1, 80, type});
  }
  return problems;
}

std::span<const VariantOf<Attention::Problem, Attention::Args>> Attention::variants() {
  static const VariantOf<Problem, Args> cpu[] = {
      {.name = "ref", .run = attention_ref},
      {.name = "cpu_rows", .run = attention_cpu_rows},
      {.name = "cpu_tiles", .run = attention_cpu_tiles},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<VariantOf<Problem, Args>>(cpu, attention_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
