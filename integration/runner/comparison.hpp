// What compare measured, as far as it got.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "integration/runner/combinations.hpp"
#include "integration/runner/prompts.hpp"
#include "integration/runner/record.hpp"
#include "integration/runner/side_check.hpp"

namespace trisect::runner {

struct GenerationRecord {
  int prompt = 0, repetition = 0;
  std::size_t tokens_in = 0;
  double prefill_s = 0;
  std::vector<double> token_s;
  std::vector<std::int32_t> ids;
  std::string text;
  StageSeconds decode_stages{};
};

struct QualityRecord {
  std::string text;  ///< name of the file
  std::int64_t tokens = 0;
  double perplexity = 0, bits_per_character = 0;
  /// With LaRoSA: mean KL divergence (nats) from the dense model of the same vocabulary to this, and how
  /// often both find the same token the most probable.
  std::optional<double> kl_nats, agreement;
};

struct Side {
  std::string name{}, description{};
  std::vector<std::string> parts{};  ///< what is switched on; none for the baseline
  std::string vocabulary{};          ///< its hash; "" for the model's own
  Json variants = Json::object();
  std::string model_hash{}, rotation{};
  std::vector<double> load_s{};  ///< one entry, or none before it was loaded
  std::vector<GenerationRecord> generations{};
  Json memory{};  ///< memory_json(), or null
  StageSeconds prefill_stages{};
  std::size_t decode_steps = 0;
  double weight_bytes_per_token = 0, kv_bytes_per_token = 0;
  std::optional<QualityRecord> quality{};
  std::optional<SideCheck> check{};  ///< none before it was loaded

  bool has(std::string_view part) const { return std::find(parts.begin(), parts.end(), part) != parts.end(); }
};

struct Comparison {
  std::string started_utc;
  phi2::ModelSource source;
  Json settings;
  std::vector<Prompt> prompts;     ///< in the tokens of the model's own vocabulary
  std::vector<double> probe_gbps;  ///< one a repetition
  /// The baseline first. Where they do not fit into memory together, groups of them take turns with the
  /// baseline: repetitions count on, and only the baseline has all of them.
  std::vector<Side> sides;
};

/// Of the ids of the first repetition that both have, over its prompts.
struct Agreement {
  int prompts = 0, identical = 0;
  double equal_id_fraction = 0;   ///< of the places that the longer one has
  double mean_common_prefix = 0;  ///< tokens
};
Agreement agreement_of(const Side& reference, const Side& side);

/// The dense side, with as little else as possible, whose ids mean the same as `side`'s; null when that is
/// the side itself, or there is none.
const Side* reference_of(const Comparison& comparison, const Side& side);

/// Version 2 of trisect/compare (reports/schema/compare.schema.json).
Json comparison_json(const Comparison& comparison, bool interrupted);

/// A line a side, from the medians of the repetitions that are complete; "" before the first.
std::string comparison_table(const Comparison& comparison);

}  // namespace trisect::runner
