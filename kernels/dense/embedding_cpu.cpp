#include "kernels/dense/elementwise_cuda.hpp"
#include "kernels/dense/embedding.hpp"

namespace trisect::dense {

void embedding_cpu(const Embedding::Problem& problem, const Embedding::Args& args) {
  const std::int32_t* token = args.token.row<std::int32_t>();
  for (int r = 0; r < problem.rows; ++r) {
    if (token[r] < 0 || token[r] >= args.table.rows) {
      usage_error("embedding: token id {} of row {} is outside the vocabulary of {}", token[r], r,
                  args.table.rows);
    }
  }
#pragma omp parallel for schedule(static) if (problem.rows > 4)
  for (int r = 0; r < problem.rows; ++r) {
    convert(args.table.byte_row(token[r]), args.table.dtype, args.y.row<float>(r), Dtype::kF32,
            static_cast<std::size_t>(problem.n));
  }
}

Cost Embedding::cost(const Problem& p) {
  const double elements = double{1} * p.rows * p.n;
  return {elements * static_cast<double>(size_of(p.dtype)) + 4.0 * p.rows, 4 * elements, 0};
}

Embedding::Args Embedding::make(const Problem& p, Arena& arena) {
  return {arena.weight(p.dtype, p.vocab, p.n, 1), arena.indices(1, p.rows, p.vocab),
          arena.output(Dtype::kF32, p.rows, p.n)};
}

Check Embedding::check(const Problem&, const Args& got, const Args& want) {
  return check_equal(got.y, want.y);
}

std::vector<Embedding::Problem> Embedding::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    problems.push_back({1, 1, 1, type});
    problems.push_back({3, 100, 7, type});
    problems.push_back({65, 4096, 320, type});
  }
  return problems;
}

std::span<const VariantOf<Embedding::Problem, Embedding::Args>> Embedding::variants() {
  static const VariantOf<Problem, Args> cpu[] = {
      {.name = "ref", .run = embedding_ref},
      {.name = "cpu_rows", .run = embedding_cpu},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<VariantOf<Problem, Args>>(cpu, embedding_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
