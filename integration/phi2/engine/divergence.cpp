#include "integration/phi2/engine/divergence.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

/// The logits' ln sum exp.
double normalizer(const float* logits, std::int64_t n) {
  const float largest = *std::max_element(logits, logits + n);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += double{std::exp(logits[i] - largest)};
  return double{largest} + std::log(sum);
}

}  // namespace

double Divergence::perplexity() const { return std::exp(nll / static_cast<double>(predicted)); }

Reference::Reference(Engine& dense, const TextWalk& text, const Progress& progress) : text_(text) {
  const std::int64_t vocab = dense.config().vocab;
  log_p_ = Buffer(Dtype::kF32, text.predicted(dense.context()), vocab);
  const auto visit = [&](std::int64_t first, const View& logits, std::span<const std::int32_t> next) {
    const View log_p = log_p_.view().rows_from(first, logits.rows);
#pragma omp parallel for schedule(static)
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      const float* row = logits.row<float>(r);
      const double lse = normalizer(row, vocab);
      std::transform(row, row + vocab, log_p.row<float>(r),
                     [lse](float logit) { return static_cast<float>(double{logit} - lse); });
    }
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      dense_.nll -= double{log_p.row<float>(r)[next[static_cast<std::size_t>(r)]]};
    }
    dense_.predicted += logits.rows;
  };
  if (!walk(dense, text, visit, progress))
    throw Error(ExitCode::kInterrupted, "interrupted while evaluating the dense model");
  dense_.agreeing = dense_.predicted;
}

Divergence Reference::compare(Engine& engine, bool sparse_prompt, const Progress& progress) const {
  TextWalk text = text_;
  text.sparse_prompt = sparse_prompt;
  Divergence result;
  result.complete = walk(
      engine, text,
      [&](std::int64_t first, const View& logits, std::span<const std::int32_t> next) {
        const View log_p = log_p_.view().rows_from(first, logits.rows);
        const std::int64_t vocab = logits.cols;
        double nll = 0, kl = 0;
        std::int64_t agreeing = 0;
#pragma omp parallel for schedule(static) reduction(+ : nll, kl, agreeing)
        for (std::int64_t r = 0; r < logits.rows; ++r) {
          const float *q = logits.row<float>(r), *p = log_p.row<float>(r);
          const double lse = normalizer(q, vocab);
          double sum = 0;
          for (std::int64_t i = 0; i < vocab; ++i)
            sum += double{std::exp(p[i])} * (double{p[i]} - (double{q[i]} - lse));
          kl += sum;
          nll -= double{q[next[static_cast<std::size_t>(r)]]} - lse;
          agreeing += std::max_element(q, q + vocab) - q == std::max_element(p, p + vocab) - p;
        }
        result.nll += nll;
        result.kl += kl;
        result.agreeing += agreeing;
        result.predicted += logits.rows;
      },
      progress);
  return result;
}

}  // namespace trisect::phi2
