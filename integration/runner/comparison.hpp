// What compare measured, as far as it got.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "integration/runner/prompts.hpp"
#include "integration/runner/record.hpp"

namespace trisect::runner {

struct GenerationRecord {
  int prompt = 0, repetition = 0;
  std::size_t tokens_in = 0;
  double prefill_s = 0;
  std::vector<double> token_s;
  std::vector<std::int32_t> ids;
  std::string text;
};

struct QualityRecord {
  std::string text;  ///< name of the file
  std::int64_t tokens = 0;
  double perplexity = 0, bits_per_character = 0;
};

struct Side {
  explicit Side(std::string side_name) : name(std::move(side_name)) {}

  std::string name, description;
  Json variants = Json::object();
  std::vector<double> load_s;  ///< one entry, or none before it was loaded
  std::vector<GenerationRecord> generations;
  Json memory;  ///< memory_json(), or null
  StageSeconds decode_stages{}, prefill_stages{};
  std::size_t decode_steps = 0;
  double weight_bytes_per_token = 0;
  std::optional<QualityRecord> quality;
};

struct Comparison {
  std::string started_utc;
  phi2::ModelSource source;
  std::string model_hash;
  Json settings;
  std::vector<Prompt> prompts;
  std::vector<Prompt> optimized_prompts;  ///< the same texts in the optimised side's tokens
  bool same_vocabulary = true;            ///< otherwise ids and perplexities are not to be compared
  std::vector<double> probe_gbps;         ///< one a repetition
  Side baseline{"baseline"}, optimized{"optimized"};
};

/// Of the ids of the first repetition, over the prompts that both sides have.
struct Agreement {
  int prompts = 0, identical = 0;
  double equal_id_fraction = 0;   ///< of the places that the longer one has
  double mean_common_prefix = 0;  ///< tokens
};
Agreement agreement_of(const Side& baseline, const Side& optimized);

/// Version 1 of trisect/compare (reports/schema/compare.schema.json).
Json comparison_json(const Comparison& comparison, bool interrupted);

/// Baseline, Optimized and Improvement as text, from the medians of the repetitions that are complete; ""
/// before the first.
std::string comparison_table(const Comparison& comparison);

}  // namespace trisect::runner
