// How far a model's predictions are from the dense model's, token by token on the same text.
#pragma once

#include "integration/phi2/engine/text_walk.hpp"

namespace trisect::phi2 {

/// Sums over the predicted tokens.
struct Divergence {
  std::int64_t predicted = 0;
  double nll = 0;             ///< -ln q(next token)
  double kl = 0;              ///< of p to q: sum over ids of p * ln(p / q), p the dense model's
  std::int64_t agreeing = 0;  ///< both find the same token the most probable
  bool complete = true;       ///< false when Ctrl-C cut it short

  double perplexity() const;
  double mean_kl() const { return kl / static_cast<double>(predicted); }
  double agreement() const { return static_cast<double>(agreeing) / static_cast<double>(predicted); }
};

/// What the dense model says of a text: 4 bytes * predicted tokens * vocabulary.
class Reference {
 public:
  /// The ids are borrowed. Throws those of walk(), and Error(kInterrupted) after Ctrl-C.
  Reference(Engine& dense, const TextWalk& text, const Progress& progress = {});

  const Divergence& dense() const { return dense_; }  ///< of itself: kl is 0, all agree

  /// Of another engine of the same vocabulary and context on the same tokens.
  Divergence compare(Engine& engine, bool sparse_prompt, const Progress& progress = {}) const;

 private:
  TextWalk text_;
  Buffer log_p_;  // [predicted][vocab]
  Divergence dense_;
};

}  // namespace trisect::phi2
