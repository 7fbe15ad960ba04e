#include "integration/runner/comparison.hpp"

#include "integration/runner/quality.hpp"

namespace trisect::runner {
namespace {

constexpr int kSchemaVersion = 2;

const GenerationRecord* find(const Side& side, int prompt, int repetition) {
  const auto found = std::find_if(side.generations.begin(), side.generations.end(), [&](const auto& record) {
    return record.prompt == prompt && record.repetition == repetition;
  });
  return found == side.generations.end() ? nullptr : &*found;
}

Json optional_json(const std::optional<double>& value) { return value ? number_json(*value) : Json(); }

Json to_json(const GenerationRecord& record) {
  return {{"prompt", record.prompt},
          {"repetition", record.repetition},
          {"tokens_in", record.tokens_in},
          {"tokens_out", record.ids.size()},
          {"characters_out", characters_of(record.text)},
          {"prefill_s", record.prefill_s},
          {"decode_s", sum(record.token_s)},
          {"token_s", record.token_s},
          {"stages_s", stages_json(record.decode_stages)},
          {"ids", record.ids},
          {"text", record.text}};
}

/// Perplexities of two vocabularies are of different things: those of another than the baseline's are left
/// out.
Json to_json(const std::optional<QualityRecord>& quality, bool own_vocabulary) {
  if (!quality) return {};
  return {{"text", quality->text},
          {"tokens", quality->tokens},
          {"perplexity", own_vocabulary ? number_json(quality->perplexity) : Json()},
          {"bits_per_character", number_json(quality->bits_per_character)},
          {"kl_nats", optional_json(quality->kl_nats)},
          {"agreement", optional_json(quality->agreement)}};
}

Json agreement_json(const Comparison& comparison, const Side& side) {
  const Side* reference = reference_of(comparison, side);
  if (reference == nullptr) return {};
  const Agreement agreement = agreement_of(*reference, side);
  if (agreement.prompts == 0) return {};
  return {{"with", reference->name},
          {"prompts", agreement.prompts},
          {"identical", agreement.identical},
          {"equal_id_fraction", agreement.equal_id_fraction},
          {"mean_common_prefix", agreement.mean_common_prefix}};
}

Json to_json(const std::optional<SideCheck>& check) {
  if (!check) return {};
  return {{"passed", check->check.status == CheckStatus::kPass},
          {"tokens", check->tokens},
          {"error", number_json(check->check.error)},
          {"tolerance", check->check.tolerance},
          {"detail", check->check.detail}};
}

Json to_json(const Comparison& comparison, const Side& side) {
  Json generations = Json::array();
  for (const GenerationRecord& record : side.generations) generations.push_back(to_json(record));
  return {{"name", side.name},
          {"parts", side.parts},
          {"description", side.description},
          {"variants", side.variants},
          {"model_hash", side.model_hash},
          {"rotation", side.rotation},
          {"load_s", side.load_s},
          {"check", to_json(side.check)},
          {"generations", generations},
          {"memory", side.memory},
          {"prefill_stages_s", stages_json(side.prefill_stages)},
          {"decode_steps", side.decode_steps},
          {"weight_bytes_per_token", side.weight_bytes_per_token},
          {"kv_bytes_per_token", side.kv_bytes_per_token},
          {"quality", to_json(side.quality, side.vocabulary == comparison.sides.front().vocabulary)},
          {"agreement", agreement_json(comparison, side)}};
}

}  // namespace

Agreement agreement_of(const Side& reference, const Side& side) {
  Agreement agreement;
  if (side.generations.empty()) return agreement;
  const int repetition = side.generations.front().repetition;
  std::size_t places = 0, equal = 0, prefixes = 0;
  for (int prompt = 0;; ++prompt) {
    const GenerationRecord *a = find(reference, prompt, repetition), *b = find(side, prompt, repetition);
    // Sides of two groups met in no repetition; all repetitions of a side are the same draws.
    if (a == nullptr && !reference.generations.empty())
      a = find(reference, prompt, reference.generations.front().repetition);
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

const Side* reference_of(const Comparison& comparison, const Side& side) {
  const bool given = std::any_of(comparison.prompts.begin(), comparison.prompts.end(),
                                 [](const Prompt& prompt) { return !prompt.forced.empty(); });
  if (given) return nullptr;
  for (const Side& other : comparison.sides) {
    if (other.has("larosa") || other.vocabulary != side.vocabulary) continue;
    return &other == &side ? nullptr : &other;
  }
  return nullptr;
}

Json comparison_json(const Comparison& comparison, bool interrupted) {
  Json record = record_header("trisect/compare", comparison.started_utc, interrupted, kSchemaVersion);
  record["model"] = model_json(comparison.source, comparison.sides.front().model_hash);
  record["settings"] = comparison.settings;
  record["prompts"] = Json::array();
  for (const Prompt& prompt : comparison.prompts) {
    record["prompts"].push_back(
        {{"text", prompt.text}, {"tokens", prompt.ids.size()}, {"characters", characters_of(prompt.text)}});
  }
  record["probe_gbps"] = comparison.probe_gbps;
  record["sides"] = Json::array();
  for (const Side& side : comparison.sides) record["sides"].push_back(to_json(comparison, side));
  return record;
}

}  // namespace trisect::runner
