// Why a side of a comparison was faster or slower than the baseline, took more or less memory or tokens, and
// what to change: rules that look at the numbers and speak when they apply. A rule returns markdown sentences
// with its numbers in them, or nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/layers.hpp"

namespace trisect::report {

struct WhyFacts {
  WhyFacts(const CompareRun& compared, const Side& side, const std::vector<Layer>& measured)
      : run(compared),
        optimized(side),
        figures(figures_of(compared, side)),
        layers(measured),
        base_(common(compared.baseline(), side)) {}

  const CompareRun& run;
  const Side& optimized;  ///< one of the run's
  CompareFigures figures;
  const std::vector<Layer>& layers;  ///< of the microbenchmarks in the same report; may be empty

  const Side& baseline() const { return base_; }  ///< in the repetitions of `optimized`
  bool larosa() const { return optimized.has(kLarosa); }
  bool vocabulary() const { return optimized.has(kAdaptivocab); }

 private:
  Side base_;
};
using Finding = std::optional<std::string>;

namespace why {

// Time.
Finding other_device(const WhyFacts& facts);  ///< it ran elsewhere than a reader may think
Finding within_noise(const WhyFacts& facts);  ///< the whole generation's time cannot be told apart
Finding overhead_and_saving(
    const WhyFacts& facts);  ///< what rotating and selecting cost against what the products saved
Finding sparsity_that_pays(const WhyFacts& facts);      ///< where overhead would equal saving
Finding naive_reads_everything(const WhyFacts& facts);  ///< mode naive saves no weight
Finding fits_in_cache(const WhyFacts& facts);           ///< weights smaller than the last-level cache
Finding below_bandwidth(
    const WhyFacts& facts);  ///< decoding does not run at memory speed, so bytes are not what it waits for
Finding prefill_dominates(const WhyFacts& facts);   ///< LaRoSA leaves prefill as it is
Finding products_are_minor(const WhyFacts& facts);  ///< most of a token's time is not in the products
Finding stalled(const WhyFacts& facts);             ///< a few tokens took so long that they decide the sums
Finding longer_load(const WhyFacts& facts);         ///< the weights are rotated while loading
Finding larger_layers(const WhyFacts& facts);       ///< what the same mode does at sizes beyond this model's
Finding fewer_steps(const WhyFacts& facts);         ///< a vocabulary saves steps, not time of a step
Finding kv_costs_no_time(const WhyFacts& facts);    ///< a KV cache that grows is no way to be faster
Finding parts_together(const WhyFacts& facts);      ///< a combination against the product of its parts

// Memory.
Finding memory_rose(const WhyFacts& facts);
Finding memory_fell(const WhyFacts& facts);
Finding memory_held(const WhyFacts& facts);
Finding kv_committed(const WhyFacts& facts);   ///< what the KV cache commits of what it reserves
Finding larger_tables(const WhyFacts& facts);  ///< a vocabulary's rows

// Tokens.
Finding vocabulary_fits(const WhyFacts& facts);
Finding vocabulary_misfits(const WhyFacts& facts);  ///< of another domain than the texts
Finding no_vocabulary(const WhyFacts& facts);       ///< none was given
Finding same_tokens(const WhyFacts& facts);
Finding other_tokens(const WhyFacts& facts);
Finding sampled(const WhyFacts& facts);

// Quality.
Finding quality_fell(const WhyFacts& facts);
Finding quality_held(const WhyFacts& facts);
Finding bits_of_vocabulary(const WhyFacts& facts);  ///< what a vocabulary costs, by characters
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
