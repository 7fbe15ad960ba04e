// How well a model predicts a text.
#pragma once

#include <span>

#include "integration/phi2/engine/engine.hpp"

namespace trisect::phi2 {

struct Quality {
  std::int64_t tokens = 0;     ///< of the text
  std::int64_t predicted = 0;  ///< all but the first of each window
  double nll = 0;              ///< sum over the predicted tokens of -ln p
  bool complete = true;        ///< false when Ctrl-C cut it short: `tokens` then counts what was seen

  double perplexity() const;
};

/// The text is cut into windows of `window` tokens that do not overlap (the last one shorter; one of a single
/// token is left out); each starts with an empty cache, its first token is context only. window 0 means the
/// engine's context. With LaRoSA activations of every token are dropped, as they are in decoding.
Quality evaluate(Engine& engine, std::span<const std::int32_t> ids, int window = 0,
                 const Progress& progress = {});

}  // namespace trisect::phi2
