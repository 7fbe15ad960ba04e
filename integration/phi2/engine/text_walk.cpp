#include "integration/phi2/engine/text_walk.hpp"

#include <algorithm>

#include "integration/phi2/engine/sequence.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::phi2 {
namespace {

/// LaRoSA's choice for prefill, put back at the end.
class PrefillChoice {
 public:
  explicit PrefillChoice(Engine& engine) : engine_(engine), before_(engine.larosa()) {}
  PrefillChoice(const PrefillChoice&) = delete;
  PrefillChoice& operator=(const PrefillChoice&) = delete;
  ~PrefillChoice() {
    if (before_) engine_.set_larosa(*before_);
  }

  void set(bool sparse) {
    if (!before_) return;
    LarosaOptions options = *before_;
    options.prefill = sparse;
    engine_.set_larosa(options);
  }

 private:
  Engine& engine_;
  std::optional<LarosaOptions> before_;
};

}  // namespace

std::int64_t TextWalk::predicted(int context) const {
  const std::int64_t length = static_cast<std::int64_t>(ids.size()), width = window == 0 ? context : window;
  const auto in_window = [this](std::int64_t tokens) {
    return std::max<std::int64_t>(0, tokens - 1 - prompt);
  };
  return length / width * in_window(width) + in_window(length % width);
}

bool walk(Engine& engine, const TextWalk& text,
          const std::function<void(std::int64_t, const View&, std::span<const std::int32_t>)>& visit,
          const Progress& progress) {
  const std::size_t window = static_cast<std::size_t>(text.window == 0 ? engine.context() : text.window);
  const std::size_t prompt = static_cast<std::size_t>(text.prompt);
  if (window < prompt + 2 || window > static_cast<std::size_t>(engine.context())) {
    usage_error("a window of {} tokens is not within {} and the context of {}", window, prompt + 2,
                engine.context());
  }
  if (text.predicted(engine.context()) == 0) {
    usage_error("the text has {} tokens: at least {} are needed to predict one", text.ids.size(), prompt + 2);
  }
  const std::size_t block = std::min(static_cast<std::size_t>(engine.max_rows()), window);
  const Buffer logits(Dtype::kF32, static_cast<std::int64_t>(block), engine.config().vocab);
  PrefillChoice prefill(engine);
  std::int64_t seen = 0;
  for (std::size_t at = 0; at < text.ids.size(); at += window) {
    const auto part = text.ids.subspan(at, std::min(text.ids.size() - at, window));
    if (part.size() < prompt + 2) break;
    Sequence sequence(engine, static_cast<int>(window));
    for (std::size_t first = 0; first < part.size();) {
      const bool in_prompt = first < prompt;
      const auto rows = part.subspan(first, std::min((in_prompt ? prompt : part.size()) - first, block));
      prefill.set(!in_prompt || text.sparse_prompt);
      const View wanted = logits.view().rows_from(0, in_prompt ? 0 : static_cast<std::int64_t>(rows.size()));
      sequence.step(rows, wanted);
      first += rows.size();
      if (in_prompt) continue;
      const auto next = part.subspan(first - rows.size() + 1,
                                     std::min(rows.size(), part.size() - 1 - (first - rows.size())));
      visit(seen, wanted.rows_from(0, static_cast<std::int64_t>(next.size())), next);
      seen += static_cast<std::int64_t>(next.size());
    }
    if (progress) {
      progress("evaluating", static_cast<double>(at + part.size()) / static_cast<double>(text.ids.size()));
    }
    if (interrupted()) return at + window >= text.ids.size();
  }
  return true;
}

}  // namespace trisect::phi2
