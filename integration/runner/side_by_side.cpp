#include "integration/runner/side_by_side.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "integration/runner/quality.hpp"
#include "integration/runner/worker.hpp"
#include "kernels/core/bandwidth_probe.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

constexpr int kWarmUpTokens = 2;

/// Threads of a team spin for some milliseconds after their work before they sleep: a side must not be
/// measured beside the other's.
void let_teams_sleep() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

/// A side and its process.
class Half {
 public:
  Half(const SideBySide& setup, Side& side, bool optimized, bool for_quality)
      : setup_(setup),
        side_(side),
        model_(optimized ? setup.optimized : setup.model),
        process_(side.name, setup.processors) {
    nlohmann::json larosa;
    if (optimized && setup.larosa) {
      larosa = {{"mode", name_of(setup.larosa->mode)},
                {"rotation", phi2::name_of(setup.larosa->rotation)},
                {"sparsity_permille", setup.larosa->sparsity_permille},
                {"in_permille", setup.larosa->coefficients.in_permille},
                {"out_permille", setup.larosa->coefficients.out_permille},
                {"prefill", for_quality || setup.larosa->prefill},
                {"values", setup.larosa->values}};
    }
    loaded_ = process_.ask({{"do", "load"},
                            {"model", setup.options.model},
                            {"tokenizer", setup.options.tokenizer},
                            {"patch_tokenizer", optimized ? setup.options.patch_tokenizer : ""},
                            {"dtype", setup.options.dtype},
                            {"device", setup.options.device},
                            {"threads", thread_count()},
                            {"context", for_quality ? 0 : setup.context},
                            {"larosa", larosa},
                            {"kv_cache", optimized ? setup.kv_cache : "static"},
                            {"rotations", optimized ? setup.rotation_file : ""}});
  }

  const nlohmann::json& loaded() const { return loaded_; }
  Side& side() { return side_; }
  const phi2::Tokenizer* tokenizer() const { return model_.tokenizer.get(); }

  nlohmann::json generate(const Prompt& prompt, int max_new_tokens) {
    const dense::SamplingParams& params = setup_.sampling.params;
    nlohmann::json end_of_text;
    if (tokenizer() != nullptr && tokenizer()->end_of_text()) end_of_text = *tokenizer()->end_of_text();
    let_teams_sleep();
    return process_.ask({{"do", "generate"},
                         {"ids", prompt.ids},
                         {"max_new_tokens", max_new_tokens},
                         {"temperature", params.temperature},
                         {"top_p", params.top_p},
                         {"seed", params.seed},
                         {"vocabulary", model_.vocabulary()},
                         {"end_of_text", end_of_text}});
  }

  phi2::Quality evaluate(std::span<const std::int32_t> ids) {
    const nlohmann::json answer =
        process_.ask({{"do", "evaluate"}, {"ids", std::vector<std::int32_t>(ids.begin(), ids.end())}});
    phi2::Quality quality;
    quality.tokens = answer.at("tokens");
    quality.predicted = answer.at("predicted");
    quality.nll = answer.at("nll").is_null() ? NAN : answer.at("nll").get<double>();
    return quality;
  }

 private:
  const SideBySide& setup_;
  Side& side_;
  const Model& model_;
  WorkerProcess process_;
  nlohmann::json loaded_;
};

void record_load(const Half& half, Side& side) {
  side.load_s = {half.loaded().at("load_s")};
  side.variants = half.loaded().at("variants");
  side.weight_bytes_per_token = half.loaded().at("weight_bytes_per_token");
}

void add(StageSeconds& total, const StageSeconds& more) {
  for (std::size_t i = 0; i < total.size(); ++i) total[i] += more[i];
}

void measure_one(Half& half, const SideBySide& setup, const Prompt& prompt, int index, int repetition) {
  const nlohmann::json answer = half.generate(prompt, setup.sampling.max_new_tokens);
  GenerationRecord record{.prompt = index,
                          .repetition = repetition,
                          .tokens_in = prompt.ids.size(),
                          .prefill_s = answer.at("prefill_s"),
                          .token_s = answer.at("token_s"),
                          .ids = answer.at("ids"),
                          .text = {}};
  if (half.tokenizer() != nullptr) record.text = half.tokenizer()->decode(record.ids);
  Side& side = half.side();
  add(side.decode_stages, answer.at("stages_s"));
  add(side.prefill_stages, answer.at("prefill_stages_s"));
  side.decode_steps += record.token_s.size();
  side.memory = answer.at("memory");
  side.generations.push_back(std::move(record));
}

double decode_rate(const Side& side, int repetition) {
  double steps = 0, seconds = 0;
  for (const GenerationRecord& record : side.generations) {
    if (record.repetition != repetition) continue;
    steps += static_cast<double>(record.token_s.size());
    seconds += sum(record.token_s);
  }
  return seconds > 0 ? steps / seconds : 0;
}

}  // namespace

void measure_generations(const SideBySide& setup, Comparison& comparison,
                         const std::function<void()>& after_repetition) {
  Half baseline(setup, comparison.baseline, false, false);
  record_load(baseline, comparison.baseline);
  Half optimized(setup, comparison.optimized, true, false);
  record_load(optimized, comparison.optimized);
  comparison.model_hash = baseline.loaded().at("hash");
  const BandwidthProbe probe;
  const int warm_up = std::min(kWarmUpTokens, setup.sampling.max_new_tokens);
  for (std::size_t i = 0; i < comparison.prompts.size(); ++i) {
    baseline.generate(comparison.prompts[i], warm_up);
    optimized.generate(comparison.optimized_prompts[i], warm_up);
  }
  for (int repetition = 0; repetition < setup.repetitions; ++repetition) {
    let_teams_sleep();
    comparison.probe_gbps.push_back(probe.run());
    for (int i = 0; i < static_cast<int>(comparison.prompts.size()); ++i) {
      const auto measure = [&](Half& half, const std::vector<Prompt>& prompts) {
        measure_one(half, setup, prompts[static_cast<std::size_t>(i)], i, repetition);
      };
      const bool swapped = (repetition + i) % 2 != 0;
      if (swapped) measure(optimized, comparison.optimized_prompts);
      measure(baseline, comparison.prompts);
      if (!swapped) measure(optimized, comparison.optimized_prompts);
    }
    fmt::print(stderr,
               "repetition {} of {}: decode {:.1f} against {:.1f} tokens/s, bandwidth probe {:.1f} GB/s\n",
               repetition + 1, setup.repetitions, decode_rate(comparison.baseline, repetition),
               decode_rate(comparison.optimized, repetition), comparison.probe_gbps.back());
    after_repetition();
  }
}

void measure_quality(const SideBySide& setup, const std::string& name, std::string_view text,
                     Comparison& comparison) {
  for (Side* side : {&comparison.baseline, &comparison.optimized}) {
    Half half(setup, *side, side == &comparison.optimized, true);
    const std::vector<phi2::TokenId> ids = half.tokenizer()->encode(text);
    fmt::print(stderr, "evaluating {} on {} tokens of {}\n", side->name, ids.size(), name);
    const std::int64_t characters =
        predicted_characters(*half.tokenizer(), ids, setup.model.source.config.positions);
    const phi2::Quality quality = half.evaluate(ids);
    side->quality =
        QualityRecord{name, quality.tokens, quality.perplexity(), bits_per_character(quality, characters)};
  }
}

}  // namespace trisect::runner
