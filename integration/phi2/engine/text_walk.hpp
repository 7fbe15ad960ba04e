// A text through the engine, window by window, with the logits of its tokens.
#pragma once

#include <functional>
#include <span>

#include "integration/phi2/engine/engine.hpp"

namespace trisect::phi2 {

/// The text is cut into windows of `window` tokens that do not overlap (the last one shorter; one that
/// predicts nothing is left out); each starts with an empty cache. Its first `prompt` tokens are prefilled;
/// the logits of the others are seen, as far as a token follows within the window.
struct TextWalk {
  std::span<const std::int32_t> ids;
  int window = 0;  ///< 0 means the engine's context
  int prompt = 0;
  /// With LaRoSA: whether the prompt's tokens have activations dropped too. Those after it always do.
  bool sparse_prompt = true;

  /// Tokens that are predicted.
  std::int64_t predicted(int context) const;
};

/// `visit(first, logits, next)` sees the logits f32 [rows][vocab] of consecutive tokens, the tokens that
/// follow them, and how many were seen before. False when Ctrl-C ended it early. Throws Error(kUsage) for a
/// window beyond the engine's context or too short for the prompt, and for a text that predicts nothing.
bool walk(Engine& engine, const TextWalk& text,
          const std::function<void(std::int64_t, const View&, std::span<const std::int32_t>)>& visit,
          const Progress& progress = {});

}  // namespace trisect::phi2
