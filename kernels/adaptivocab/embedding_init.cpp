#include "kernels/adaptivocab/embedding_init.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/adaptivocab/embedding_init_cuda.hpp"
#include "kernels/adaptivocab/ngrams.hpp"
#include "kernels/adaptivocab/patch_encode.hpp"

namespace trisect::adaptivocab {
namespace {

using Problem = EmbeddingInit::Problem;
using Args = EmbeddingInit::Args;

constexpr double kTolerance = 1e-6, kTolerance16 = 1e-3;

std::span<const std::int32_t> parts_of(const Args& args, std::int64_t entry) {
  const std::int32_t* row = args.part.row<std::int32_t>(entry);
  return {row, std::find(row, row + args.part.cols, -1)};
}

void check_parts(const Problem& problem, const Args& args) {
  for (std::int64_t e = 0; e < args.part.rows; ++e) check_parts_of(e, parts_of(args, e), problem.vocab);
}

double value_at(const View& view, std::int64_t r, std::int64_t c) {
  switch (view.dtype) {
    case Dtype::kBf16:
      return to_f32(view.row<bf16>(r)[c]);
    case Dtype::kF16:
      return to_f32(view.row<f16>(r)[c]);
    default:
      return view.row<float>(r)[c];
  }
}

void embedding_init_ref(const Problem& problem, const Args& args) {
  check_parts(problem, args);
  for (int e = 0; e < problem.entries; ++e) {
    const auto parts = parts_of(args, e);
    const float* weight = args.weight.row<float>(static_cast<std::int64_t>(parts.size()));
    const auto sum = [&](auto value) {
      double total = 0;
      for (std::size_t k = 0; k < parts.size(); ++k) total += weight[k] * value(parts[k]);
      return static_cast<float>(total);
    };
    const bool head = problem.is_head != 0;
    for (int h = 0; h < problem.hidden; ++h) {
      const float y = sum(
          [&](std::int32_t id) { return head ? value_at(args.table, h, id) : value_at(args.table, id, h); });
      const int r = head ? h : e, c = head ? e : h;
      if (args.y.dtype == Dtype::kF32) args.y.row<float>(r)[c] = y;
      if (args.y.dtype == Dtype::kBf16) args.y.row<bf16>(r)[c] = to_bf16(y);
      if (args.y.dtype == Dtype::kF16) args.y.row<f16>(r)[c] = to_f16(y);
    }
  }
}

template <class T>
T rounded(float value) {
  if constexpr (std::is_same_v<T, float>) return value;
  if constexpr (std::is_same_v<T, bf16>) return to_bf16(value);
  if constexpr (std::is_same_v<T, f16>) return to_f16(value);
}

/// Whole rows of the table, one part after the other, in cache.
template <class T>
void init_rows(const Args& args) {
#pragma omp parallel
  {
    std::vector<float> sum(static_cast<std::size_t>(args.y.cols));
#pragma omp for schedule(static)
    for (std::int64_t e = 0; e < args.y.rows; ++e) {
      const auto parts = parts_of(args, e);
      const float* weight = args.weight.row<float>(static_cast<std::int64_t>(parts.size()));
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (std::size_t k = 0; k < parts.size(); ++k) {
        const T* row = args.table.row<T>(parts[k]);
#pragma omp simd
        for (std::size_t h = 0; h < sum.size(); ++h) sum[h] += weight[k] * to_f32(row[h]);
      }
      std::transform(sum.begin(), sum.end(), args.y.row<T>(e), rounded<T>);
    }
  }
}

/// A row of a head has one value for each token, and all new ones are made of it while it is in cache.
template <class T>
void init_columns(const Args& args) {
#pragma omp parallel for schedule(static)
  for (std::int64_t h = 0; h < args.y.rows; ++h) {
    const T* from = args.table.row<T>(h);
    T* to = args.y.row<T>(h);
    for (std::int64_t e = 0; e < args.y.cols; ++e) {
      const auto parts = parts_of(args, e);
      const float* weight = args.weight.row<float>(static_cast<std::int64_t>(parts.size()));
      float sum = 0;
      for (std::size_t k = 0; k < parts.size(); ++k) sum += weight[k] * to_f32(from[parts[k]]);
      to[e] = rounded<T>(sum);
    }
  }
}

void embedding_init_cpu(const Problem& problem, const Args& args) {
  check_parts(problem, args);
  const bool head = problem.is_head != 0;
  switch (args.table.dtype) {
    case Dtype::kF32:
      return head ? init_columns<float>(args) : init_rows<float>(args);
    case Dtype::kBf16:
      return head ? init_columns<bf16>(args) : init_rows<bf16>(args);
    case Dtype::kF16:
      return head ? init_columns<f16>(args) : init_rows<f16>(args);
    case Dtype::kI32:
      usage_error("{}: an embedding of i32", EmbeddingInit::name);
  }
}

}  // namespace

void check_parts_of(std::int64_t entry, std::span<const std::int32_t> parts, int vocab) {
  if (parts.empty()) usage_error("embedding of new token {}: it has no parts", entry);
  for (const std::int32_t id : parts) {
    if (id < 0 || id >= vocab) {
      usage_error("embedding of new token {}: part {} is outside the vocabulary of {}", entry, id, vocab);
    }
  }
}

Buffer part_weights(int n, double base, Heaviest heaviest) {
  Buffer weights(Dtype::kF32, n + 1, n);
  for (int length = 1; length <= n; ++length) {
    double sum = 0;
    for (int k = 0; k < length; ++k) sum += std::pow(base, k);
    for (int k = 0; k < length; ++k) {
      const int power = heaviest == Heaviest::kLast ? k : length - 1 - k;
      weights.view().row<float>(length)[k] = static_cast<float>(std::pow(base, power) / sum);
    }
  }
  return weights;
}

EmbeddingInit::Args EmbeddingInit::make(const Problem& p, Arena& arena) {
  const bool head = p.is_head != 0;
  const auto table = [&](Dtype type) {
    return head ? arena.weight(type, p.hidden, p.vocab, 1) : arena.weight(type, p.vocab, p.hidden, 1);
  };
  const Buffer weights = part_weights(p.n, 2, head ? Heaviest::kFirst : Heaviest::kLast);
  std::vector<std::int32_t> weight_bits(static_cast<std::size_t>((p.n + 1) * p.n));
  std::memcpy(weight_bits.data(), weights.data(), weights.bytes());
  Args args;
  args.table = table(p.dtype);
  args.part = pattern_input(arena, text_like_tokens(8 * p.entries + 64, p.vocab, 1), p.entries, p.n);
  args.weight = View(arena.integers(weight_bits).data, Dtype::kF32, p.n + 1, p.n);
  args.y = head ? arena.output(p.dtype, p.hidden, p.entries) : arena.output(p.dtype, p.entries, p.hidden);
  return args;
}

Cost EmbeddingInit::cost(const Problem& p) {
  const double values = 1.0 * p.entries * p.hidden,
               parts = (2.0 + p.n) / 2;  // on average, as make() draws them
  const double element = static_cast<double>(size_of(p.dtype));
  return {values * parts * element + 4 * p.entries * parts, values * element, 2 * values * parts};
}

Check EmbeddingInit::check(const Problem& p, const Args& got, const Args& want) {
  return check_close(got.y, want.y, p.dtype == Dtype::kF32 ? kTolerance : kTolerance16);
}

std::vector<EmbeddingInit::Problem> EmbeddingInit::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int head : {0, 1}) {
      problems.push_back({1, 2, 1, 1, head, type});
      problems.push_back({7, 4, 30, 33, head, type});
      problems.push_back({100, 3, 1000, 129, head, type});
      problems.push_back({9, 3, 51200, 40, head, type});
    }
  }
  return problems;
}

std::span<const EmbeddingInit::Variant> EmbeddingInit::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = embedding_init_ref},
      {.name = "cpu", .run = embedding_init_cpu},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, embedding_init_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::adaptivocab
