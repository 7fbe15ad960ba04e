#include "integration/runner/comparison.hpp"

#include <algorithm>

namespace trisect::runner {
namespace {

const GenerationRecord* first_of(const Side& side, int prompt) {
  const auto found =
      std::find_if(side.generations.begin(), side.generations.end(),
                   [prompt](const GenerationRecord& record) { return record.prompt == prompt; });
  return found == side.generations.end() ? nullptr : &*found;
}

Json to_json(const GenerationRecord& record) {
  return {{"prompt", record.prompt},
          {"repetition", record.repetition},
          {"tokens_in", record.tokens_in},
          {"tokens_out", record.ids.size()},
          {"prefill_s", record.prefill_s},
          {"decode_s", sum(record.token_s)},
          {"token_s", record.token_s},
          {"ids", record.ids},
          {"text", record.text}};
}

Json to_json(const std::optional<QualityRecord>& quality) {
  if (!quality) return {};
  return {{"text", quality->text},
          {"tokens", quality->tokens},
          {"perplexity", number_json(quality->perplexity)},
          {"bits_per_character", number_json(quality->bits_per_character)}};
}

Json to_json(const Side& side) {
  Json generations = Json::array();
  for (const GenerationRecord& record : side.generations) generations.push_back(to_json(record));
  return {{"name", side.name},
          {"description", side.description},
          {"variants", side.variants},
          {"load_s", side.load_s},
          {"generations", generations},
          {"memory", side.memory},
          {"stages_s", stages_json(side.decode_stages)},
          {"prefill_stages_s", stages_json(side.prefill_stages)},
          {"decode_steps", side.decode_steps},
          {"weight_bytes_per_token", side.weight_bytes_per_token},
          {"quality", to_json(side.quality)}};
}

Json to_json(const Agreement& agreement) {
  if (agreement.prompts == 0) return {};
  return {{"prompts", agreement.prompts},
          {"identical", agreement.identical},
          {"equal_id_fraction", agreement.equal_id_fraction},
          {"mean_common_prefix", agreement.mean_common_prefix}};
}

}  // namespace

Agreement agreement_of(const Side& baseline, const Side& optimized) {
  Agreement agreement;
  std::size_t places = 0, equal = 0, prefixes = 0;
  for (int prompt = 0;; ++prompt) {
    const GenerationRecord* a = first_of(baseline, prompt);
    const GenerationRecord* b = first_of(optimized, prompt);
    if (a == nullptr || b == nullptr) break;
    const std::size_t common = std::min(a->ids.size(), b->ids.size());
    ++agreement.prompts;
    agreement.identical += a->ids == b->ids ? 1 : 0;
    places += std::max(a->ids.size(), b->ids.size());
    for (std::size_t i = 0; i < common; ++i) equal += a->ids[i] == b->ids[i] ? 1 : 0;
    const auto end = a->ids.begin() + static_cast<std::ptrdiff_t>(common);
    prefixes +=
        static_cast<std::size_t>(std::mismatch(a->ids.begin(), end, b->ids.begin()).first - a->ids.begin());
  }
  // Two empty texts agree.
  agreement.equal_id_fraction = places == 0 ? 1 : static_cast<double>(equal) / static_cast<double>(places);
  if (agreement.prompts > 0) agreement.mean_common_prefix = static_cast<double>(prefixes) / agreement.prompts;
  return agreement;
}

Json comparison_json(const Comparison& comparison, bool interrupted) {
  Json record = record_header("trisect/compare", comparison.started_utc, interrupted);
  record["model"] = model_json(comparison.source, comparison.model_hash);
  record["settings"] = comparison.settings;
  record["prompts"] = Json::array();
  for (const Prompt& prompt : comparison.prompts) {
    record["prompts"].push_back({{"text", prompt.text}, {"tokens", prompt.ids.size()}});
  }
  record["probe_gbps"] = comparison.probe_gbps;
  record["sides"] = {to_json(comparison.baseline), to_json(comparison.optimized)};
  record["agreement"] =
      comparison.same_vocabulary ? to_json(agreement_of(comparison.baseline, comparison.optimized)) : Json();
  return record;
}

}  // namespace trisect::runner
