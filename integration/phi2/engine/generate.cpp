#include "integration/phi2/engine/generate.hpp"

#include <algorithm>
#include <chrono>

#include "integration/phi2/engine/sequence.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::phi2 {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Generation generate(Engine& engine, std::span<const std::int32_t> prompt, const GenerateOptions& options,
                    const std::function<void(std::int32_t)>& on_token) {
  dense::validate(options.sampling);
  const int length = static_cast<int>(prompt.size());
  if (length == 0) usage_error("the prompt is empty: generation needs at least one token to start from");
  if (options.max_new_tokens < 1) usage_error("--max-new-tokens {}: at least 1", options.max_new_tokens);
  const auto& forced = options.forced;
  const int most = forced.empty() ? options.max_new_tokens
                                  : std::min(options.max_new_tokens, static_cast<int>(forced.size()));
  if (length + most > engine.context()) {
    usage_error(
        "the prompt's {} tokens and {} new ones exceed the context of {}: shorten the prompt or lower "
        "--max-new-tokens",
        length, most, engine.context());
  }

  Generation result;
  Sequence sequence(engine, length + most);
  const auto next = [&](std::span<const std::int32_t> tokens) {
    const std::uint64_t bits = random_bits(options.sampling.seed, result.ids.size());
    return sequence.next(tokens, {.temperature = options.sampling.temperature,
                                  .top_p = options.sampling.top_p,
                                  .vocabulary = options.vocabulary,
                                  .bits = {&bits, 1}});
  };
  const auto take = [&](std::int32_t id) {  // false when nothing follows
    if (!forced.empty()) {
      id = forced[result.ids.size()];
    } else if (id == options.end_of_text) {
      result.finish = Finish::kEndOfText;
      return false;
    }
    result.ids.push_back(id);
    if (on_token) on_token(id);
    return static_cast<int>(result.ids.size()) < most;
  };

  auto start = Clock::now();
  const auto block = static_cast<std::size_t>(engine.max_rows());
  std::span<const std::int32_t> left = prompt;
  for (; left.size() > block; left = left.subspan(block)) {
    sequence.step(left.first(block), {});
    if (interrupted()) {
      result.finish = Finish::kInterrupted;
      return result;
    }
  }
  const std::int32_t first = next(left);
  if (interrupted()) {
    result.finish = Finish::kInterrupted;
    return result;
  }
  bool more = take(first);
  result.prefill_s = seconds_since(start);
  while (more) {
    if (interrupted()) {
      result.finish = Finish::kInterrupted;
      break;
    }
    start = Clock::now();
    const std::int32_t token = result.ids.back();
    more = take(next({&token, 1}));
    result.token_s.push_back(seconds_since(start));
  }
  return result;
}

}  // namespace trisect::phi2
