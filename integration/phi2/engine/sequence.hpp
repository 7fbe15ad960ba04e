// One sequence in the engine: a KV slot that is given back, and the rows of its steps.
#pragma once

#include <numeric>
#include <span>
#include <vector>

#include "integration/phi2/engine/engine.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {

class Sequence {
 public:
  Sequence(Engine& engine, int max_tokens) : engine_(engine), slot_(engine.cache().acquire(max_tokens)) {}
  ~Sequence() {
    try {
      engine_.cache().release(slot_);
    } catch (const Error&) {  // of giving memory back: the next one that needs it will tell
    }
  }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  /// Appends tokens, at most Engine::max_rows() of them, and writes the logits of the last logits.rows.
  void step(std::span<const std::int32_t> tokens, const View& logits) {
    engine_.step(rows_of(tokens), logits);
    length_ += static_cast<int>(tokens.size());
  }

  /// The same, but chooses what follows the last one.
  std::int32_t next(std::span<const std::int32_t> tokens, const Choice& choice) {
    std::int32_t id = 0;
    engine_.step(rows_of(tokens), choice, {&id, 1});
    length_ += static_cast<int>(tokens.size());
    return id;
  }

 private:
  Rows rows_of(std::span<const std::int32_t> tokens) {
    slots_.assign(tokens.size(), slot_);
    positions_.resize(tokens.size());
    std::iota(positions_.begin(), positions_.end(), length_);
    return {tokens, slots_, positions_};
  }

  Engine& engine_;
  int slot_;
  int length_ = 0;
  std::vector<std::int32_t> slots_, positions_;
};

}  // namespace trisect::phi2
