#include "integration/phi2/engine/evaluate.hpp"

#include <cmath>

#include "integration/phi2/engine/text_walk.hpp"
#include "kernels/dense/sampling.hpp"

namespace trisect::phi2 {

double Quality::perplexity() const { return std::exp(nll / static_cast<double>(predicted)); }

Quality evaluate(Engine& engine, std::span<const std::int32_t> ids, int window, const Progress& progress) {
  Quality quality;
  const TextWalk text{.ids = ids, .window = window};
  const auto visit = [&](std::int64_t, const View& logits, std::span<const std::int32_t> next) {
    double nll = 0;
#pragma omp parallel for schedule(static) reduction(+ : nll)
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      const std::span<const float> row(logits.row<float>(r), static_cast<std::size_t>(logits.cols));
      nll -= dense::log_softmax(row, next[static_cast<std::size_t>(r)]);
    }
    quality.nll += nll;
    quality.predicted += logits.rows;
  };
  quality.complete = walk(engine, text, visit, progress);
  // Each window predicts all its tokens but the first.
  const std::int64_t width = window == 0 ? engine.context() : window;
  quality.tokens = quality.complete ? static_cast<std::int64_t>(ids.size())
                                    : quality.predicted + (quality.predicted + width - 2) / (width - 1);
  return quality;
}

}  // namespace trisect::phi2
