#include "integration/runner/side_process.hpp"

#include <chrono>
#include <cmath>
#include <thread>

#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

nlohmann::json larosa_request(const std::optional<phi2::LarosaOptions>& larosa, bool for_quality) {
  if (!larosa) return {};
  return {{"mode", name_of(larosa->mode)},
          {"rotation", phi2::name_of(larosa->rotation)},
          {"sparsity_permille", larosa->sparsity_permille},
          {"in_permille", larosa->coefficients.in_permille},
          {"out_permille", larosa->coefficients.out_permille},
          {"prefill", for_quality || larosa->prefill},
          {"values", larosa->values}};
}

}  // namespace

void let_teams_sleep() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

SideProcess::SideProcess(const CompareSetup& setup, std::size_t index, const std::string& name,
                         Purpose purpose)
    : setup_(setup), how_(setup.sides[index]), process_(name, setup.processors) {
  const bool plain = purpose == Purpose::kReference, for_quality = purpose == Purpose::kQuality;
  loaded_ = process_.ask({{"do", "load"},
                          {"model", setup.options.model},
                          {"tokenizer", setup.options.tokenizer},
                          {"patch_tokenizer", how_.patch_tokenizer},
                          {"dtype", setup.options.dtype},
                          {"device", plain ? "cpu" : setup.options.device},
                          {"cuda_graph", setup.options.cuda_graph},
                          {"plain_kernels", plain},
                          {"threads", thread_count()},
                          {"context", for_quality ? 0 : setup.context},
                          {"larosa", plain ? nlohmann::json() : larosa_request(how_.larosa, for_quality)},
                          {"kv_cache", plain ? "static" : how_.kv_cache},
                          {"rotations", plain ? "" : how_.rotation_file}});
}

nlohmann::json SideProcess::generate(const Prompt& prompt, int max_new_tokens) {
  const dense::SamplingParams& params = setup_.sampling.params;
  nlohmann::json end_of_text;
  if (tokenizer() != nullptr && tokenizer()->end_of_text()) end_of_text = *tokenizer()->end_of_text();
  let_teams_sleep();
  return process_.ask({{"do", "generate"},
                       {"ids", prompt.ids},
                       {"forced", prompt.forced},
                       {"max_new_tokens", max_new_tokens},
                       {"temperature", params.temperature},
                       {"top_p", params.top_p},
                       {"seed", params.seed},
                       {"vocabulary", how_.model->vocabulary()},
                       {"end_of_text", end_of_text}});
}

CheckedLogits SideProcess::logits(const Prompt& prompt) {
  const CheckedTokens of = tokens_to_check(prompt.ids.size());
  const std::vector<std::int32_t> ids(prompt.ids.begin(),
                                      prompt.ids.begin() + static_cast<std::ptrdiff_t>(of.tokens));
  const nlohmann::json answer = process_.ask({{"do", "logits"}, {"ids", ids}, {"prefilled", of.prefilled}});
  CheckedLogits logits{static_cast<int>(of.tokens), static_cast<int>(of.tokens - of.prefilled + 1), {}};
  for (const auto& value : answer.at("logits"))
    logits.values.push_back(value.is_null() ? NAN : value.get<float>());
  return logits;
}

nlohmann::json SideProcess::evaluate(std::span<const std::int32_t> ids) {
  return process_.ask({{"do", "evaluate"}, {"ids", std::vector<std::int32_t>(ids.begin(), ids.end())}});
}

}  // namespace trisect::runner
