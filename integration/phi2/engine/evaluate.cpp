#include "integration/phi2/engine/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "integration/phi2/engine/sequence.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/dense/sampling.hpp"

namespace trisect::phi2 {

double Quality::perplexity() const { return std::exp(nll / static_cast<double>(predicted)); }

Quality evaluate(Engine& engine, std::span<const std::int32_t> ids, int window, const Progress& progress) {
  if (window == 0) window = engine.context();
  if (window < 2 || window > engine.context()) {
    usage_error("a window of {} tokens is not within 2 and the context of {}", window, engine.context());
  }
  if (ids.size() < 2) usage_error("the text has {} tokens: at least 2 are needed to predict one", ids.size());

  const int block = std::min(engine.max_rows(), window), vocab = engine.config().vocab;
  const Buffer logits(Dtype::kF32, block, vocab);
  Quality quality;
  for (std::size_t at = 0; at + 1 < ids.size(); at += static_cast<std::size_t>(window)) {
    const auto part = ids.subspan(at, std::min(ids.size() - at, static_cast<std::size_t>(window)));
    Sequence sequence(engine, window);
    for (std::size_t first = 0; first < part.size(); first += static_cast<std::size_t>(block)) {
      const auto rows = part.subspan(first, std::min(part.size() - first, static_cast<std::size_t>(block)));
      sequence.step(rows, logits.view().rows_from(0, static_cast<std::int64_t>(rows.size())));
      const auto predicted = std::min(rows.size(), part.size() - 1 - first);
      for (std::size_t r = 0; r < predicted; ++r) {
        const std::span<const float> row(logits.view().row<float>(static_cast<std::int64_t>(r)), static_cast<std::size_t>(vocab));
        quality.nll -= dense::log_softmax(row, part[first + r + 1]);
      }
      quality.predicted += static_cast<std::int64_t>(predicted);
    }
    quality.tokens += static_cast<std::int64_t>(part.size());
    if (progress) progress("evaluating", static_cast<double>(quality.tokens) / static_cast<double>(ids.size()));
    if (interrupted()) {
      quality.complete = false;
      break;
    }
  }
  if (quality.complete) quality.tokens = static_cast<std::int64_t>(ids.size());
  return quality;
}

}  // namespace trisect::phi2
