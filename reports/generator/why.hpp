// Why the optimised run was faster or slower, took more or less memory or tokens, and what to change: rules
// that look at the numbers and speak when they apply. A rule returns markdown sentences with its numbers in
// them, or nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/layers.hpp"

namespace trisect::report {

struct WhyFacts {
  const CompareRun& run;
  CompareFigures figures;
  const std::vector<Layer>& layers;  ///< of the microbenchmarks in the same report; may be empty
};
using Finding = std::optional<std::string>;

namespace why {

// Time.
Finding within_noise(const WhyFacts& facts);  ///< the whole generation's time cannot be told apart
Finding overhead_and_saving(
    const WhyFacts& facts);  ///< what rotating and selecting cost against what the products saved
Finding naive_reads_everything(const WhyFacts& facts);  ///< mode naive saves no weight
Finding fits_in_cache(const WhyFacts& facts);           ///< weights smaller than the last-level cache
Finding below_bandwidth(
    const WhyFacts& facts);  ///< decoding does not run at memory speed, so bytes are not what it waits for
Finding prefill_dominates(const WhyFacts& facts);   ///< LaRoSA leaves prefill as it is
Finding products_are_minor(const WhyFacts& facts);  ///< most of a token's time is not in the products
Finding stalled(const WhyFacts& facts);             ///< a few tokens took so long that they decide the sums
Finding longer_load(const WhyFacts& facts);         ///< the weights are rotated while loading
Finding larger_layers(const WhyFacts& facts);       ///< what the same mode does at sizes beyond this model's

// Memory.
Finding memory_rose(const WhyFacts& facts);
Finding memory_fell(const WhyFacts& facts);
Finding memory_held(const WhyFacts& facts);

// Tokens.
Finding same_tokens(const WhyFacts& facts);
Finding other_tokens(const WhyFacts& facts);
Finding sampled(const WhyFacts& facts);

// Quality.
Finding quality_fell(const WhyFacts& facts);
Finding quality_held(const WhyFacts& facts);
Finding texts_diverge(const WhyFacts& facts);

}  // namespace why

struct Rule {
  const char* name;
  Finding (*apply)(const WhyFacts& facts);
};
struct Question {
  const char* title;
  std::vector<Rule> rules;
};

/// Every rule, under the question that it answers.
const std::vector<Question>& questions();

}  // namespace trisect::report
