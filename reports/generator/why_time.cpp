#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/why.hpp"

namespace trisect::report::why {
namespace {

constexpr double kStall = 5;         // a slow token against the median one
constexpr double kLongerLoad = 0.9;  // of the baseline's speed
constexpr double kMemoryBound =
    0.6;  // of the probe: below this, reading weights is not what decoding waits for

bool weights_fit(const WhyFacts& facts) {
  const auto& cache = facts.run.origin.environment.llc_bytes;
  return facts.baseline().memory && cache && facts.baseline().memory->weights < *cache;
}

/// Share of the weights that the baseline's decoding reads per second in the bandwidth of the machine.
std::optional<double> share_of_bandwidth(const WhyFacts& facts) {
  const auto rate = facts.figures.baseline.decode_rate();
  if (!rate || !facts.run.probe_gbps || *facts.run.probe_gbps <= 0) return std::nullopt;
  return facts.baseline().weight_bytes_per_token * *rate / (*facts.run.probe_gbps * 1e9);
}

double share_of_products(const WhyFacts& facts) {
  const double all = all_stages_s(facts.baseline());
  return all > 0 ? products_s(facts.baseline()) / all : 0;
}

double weights_of(const Layer& layer) { return static_cast<double>(layer.in) * layer.out; }

}  // namespace

Finding other_device(const WhyFacts& facts) {
  const Settings& settings = facts.run.settings;
  const std::string& gpu = facts.run.origin.environment.gpu;
  if (settings.device == "cpu") {
    if (gpu.empty() || gpu == "none" || gpu == "unknown") return std::nullopt;
    return fmt::format(
        "This ran on the CPU, as asked, though the machine has a GPU ({}): nothing here says what "
        "that would do. Ask for it with `--device cuda`.",
        escape(gpu));
  }
  const auto& variants = facts.optimized.variants;
  const bool there = std::any_of(variants.begin(), variants.end(),
                                 [](const auto& entry) { return entry.second.starts_with("cu"); });
  if (there || variants.empty()) return std::nullopt;
  return fmt::format(
      "Device {} was asked for, but no kernel that ran is one of its own: judge nothing by this.",
      escape(settings.device));
}

Finding within_noise(const WhyFacts& facts) {
  const auto& speed = facts.figures.speed;
  if (!speed || speed->verdict == Verdict::kFaster || speed->verdict == Verdict::kSlower) return std::nullopt;
  const bool same = speed->verdict == Verdict::kSame;
  return fmt::format(
      "Text was written at {} of the baseline's speed. {} To tell a small difference: more repetitions, "
      "longer "
      "texts, an idle machine.",
      times(speed->ratio),
      same ? "That is the same: nothing was gained or lost that this run could see."
           : "The repetitions disagree, or are too few, so this run cannot tell whether it is faster or "
             "slower.");
}

Finding overhead_and_saving(const WhyFacts& facts) {
  const double overhead = overhead_s(facts.optimized) - overhead_s(facts.baseline());
  if (overhead <= 0) return std::nullopt;
  const double saved = products_s(facts.baseline()) - products_s(facts.optimized);
  const std::string sums =
      fmt::format("Per token, rotating and selecting cost {} and the products were {} {} (from {} to {})",
                  seconds(overhead), seconds(std::abs(saved)), saved >= 0 ? "shorter" : "longer",
                  seconds(products_s(facts.baseline())), seconds(products_s(facts.optimized)));
  if (saved > overhead)
    return fmt::format("{}: the saving is larger than the overhead, by {} a token.", sums,
                       seconds(saved - overhead));
  return fmt::format(
      "{}: the overhead is larger than the saving, by {} a token. What helps: a higher sparsity, wider "
      "outputs (rotating costs "
      "the square of the input's width, the saving grows with input times output), or rotations merged into "
      "the weights.",
      sums, seconds(overhead - saved));
}

Finding sparsity_that_pays(const WhyFacts& facts) {
  const double overhead = overhead_s(facts.optimized) - overhead_s(facts.baseline());
  const double saved = products_s(facts.baseline()) - products_s(facts.optimized);
  if (!facts.larosa() || overhead <= 0 || saved > overhead) return std::nullopt;
  const int now = facts.run.settings.sparsity_permille;
  if (saved <= 0)
    return fmt::format(
        "At {} sparsity the products are not shorter at all, so no sparsity can be named from which "
        "they would pay for rotating and selecting here.",
        sparsity(now));
  const double needed = now * overhead / saved;
  if (needed >= 1000)
    return "If the saving grows in proportion to the sparsity, as bytes do, none below 100 % pays for "
           "rotating and "
           "selecting here.";
  return fmt::format(
      "If the saving grows in proportion to the sparsity, as bytes do, it pays for rotating and "
      "selecting from {:.0f} % on.",
      needed / 10);
}

Finding naive_reads_everything(const WhyFacts& facts) {
  if (!facts.larosa() || facts.run.settings.larosa_mode != kNaive) return std::nullopt;
  return "Mode naive rotates, selects, rotates back and then multiplies by every weight: it adds two "
         "rotations and saves no byte, so it "
         "cannot be faster. Use mode online, which reads only the kept rows.";
}

Finding fits_in_cache(const WhyFacts& facts) {
  if (!facts.larosa() || !weights_fit(facts)) return std::nullopt;
  return fmt::format(
      "The weights ({}) fit in the last-level cache ({}): they are read at the cache's speed, not the "
      "memory's, so skipping "
      "rows saves less here than on a model that does not fit. Judge by a larger model (synthetic:phi-2 has "
      "phi-2's size).",
      bytes(facts.baseline().memory->weights), bytes(*facts.run.origin.environment.llc_bytes));
}

Finding below_bandwidth(const WhyFacts& facts) {
  const auto share = share_of_bandwidth(facts);
  if (!facts.larosa() || !share || *share >= kMemoryBound || weights_fit(facts)) return std::nullopt;
  return fmt::format(
      "The baseline's decoding reads weights at {} of the machine's bandwidth ({} GB/s): it waits for "
      "something other than the weights, "
      "so reading fewer of them saves less than their share. Look at the stages outside the products first.",
      percent(*share), number(*facts.run.probe_gbps));
}

Finding prefill_dominates(const WhyFacts& facts) {
  const SideFigures& base = facts.figures.baseline;
  if (!base.total || !base.prefill || base.total->median <= 0) return std::nullopt;
  const double share = base.prefill->median / base.total->median;
  if (share <= 0.5) return std::nullopt;
  return fmt::format(
      "Prefill is {} of the baseline's time ({} of {}), and what makes decoding faster leaves that: even "
      "free "
      "decoding would give {}. "
      "Longer answers (`--max-new-tokens`) or shorter prompts show more of it.",
      percent(share), seconds(base.prefill->median), seconds(base.total->median), times(1 / share));
}

Finding products_are_minor(const WhyFacts& facts) {
  const double share = share_of_products(facts);
  if (!facts.larosa() || share <= 0 || share >= 0.5) return std::nullopt;
  return fmt::format(
      "The products that LaRoSA shortens are {} of a decode step ({} of {}); the rest (attention, head, "
      "small operations) "
      "stays. At no cost and full sparsity decoding would be {}.",
      percent(share), seconds(products_s(facts.baseline())), seconds(all_stages_s(facts.baseline())),
      times(1 / (1 - share)));
}

Finding stalled(const WhyFacts& facts) {
  const SideFigures &base = facts.figures.baseline, &optimized = facts.figures.optimized;
  const auto stalls = [](const SideFigures& side) {
    return side.token && *side.token_p99 > kStall * side.token->median;
  };
  if (!facts.figures.token || (!stalls(base) && !stalls(optimized))) return std::nullopt;
  return fmt::format(
      "One token in a hundred took {} or more on the baseline's side and {} on the other, while half of them "
      "took no more than {} and {}, as when other programs hold the processors; the sums above include that. "
      "By its median a token ran at {} of the baseline's speed ({}).",
      seconds(*base.token_p99), seconds(*optimized.token_p99), seconds(base.token->median),
      seconds(optimized.token->median), times(facts.figures.token->ratio),
      name_of(facts.figures.token->verdict));
}

Finding longer_load(const WhyFacts& facts) {
  const auto& load = facts.figures.load;
  if (!load || load->ratio.centre > kLongerLoad) return std::nullopt;
  const SideFigures &base = facts.figures.baseline, &optimized = facts.figures.optimized;
  const double longer = optimized.load->median - base.load->median;
  std::string text = fmt::format("Loading took {} longer ({} instead of {}{}){}.", seconds(longer),
                                 seconds(optimized.load->median), seconds(base.load->median),
                                 optimized.load->samples < 3 ? ", measured too seldom to be sure" : "",
                                 facts.larosa() ? ": rotations are read, and worked into the weights" : "");
  // Tokens of two vocabularies are not the same work; characters are.
  const bool by_text = facts.vocabulary() && base.character_rate() && optimized.character_rate();
  const auto& faster = by_text ? facts.figures.speed : facts.figures.decode;
  if (!faster || faster->verdict != Verdict::kFaster) return text + " Decoding does not earn it back.";
  const double was = by_text ? *base.character_rate() : *base.decode_rate();
  const double now = by_text ? *optimized.character_rate() : *optimized.decode_rate();
  if (now <= was) return text;
  return text + fmt::format(" Decoding earns it back after {:.0f} {}.",
                            std::ceil(longer / (1 / was - 1 / now)), by_text ? "characters" : "tokens");
}

Finding larger_layers(const WhyFacts& facts) {
  if (!facts.larosa()) return std::nullopt;
  // merged runs what an unrotated layer's online does; its adapter is no layer.
  const bool merged = facts.run.settings.larosa_mode == "merged";
  const std::string mode = merged ? kOnline : facts.run.settings.larosa_mode;
  const Layer* largest = nullptr;
  for (const Layer& layer : facts.layers) {
    if (layer.dtype != facts.run.settings.dtype || layer.in <= facts.run.model.hidden) continue;
    if (merged && layer.rotated) continue;
    if (largest == nullptr || weights_of(layer) > weights_of(*largest)) largest = &layer;
  }
  if (largest == nullptr) return std::nullopt;
  const LayerPoint* nearest = nullptr;
  const auto distance = [&](const LayerPoint& point) {
    return std::abs(point.sparsity_permille - facts.run.settings.sparsity_permille);
  };
  for (const LayerPoint& point : largest->points) {
    if (!point.change_of(mode)) continue;
    if (nearest == nullptr || distance(point) < distance(*nearest)) nearest = &point;
  }
  if (nearest == nullptr) return std::nullopt;
  const Change change = *nearest->change_of(mode);
  return fmt::format(
      "This model is {} wide. The microbenchmarks above measured {} on a layer of {}: {} at {} "
      "sparsity ({}), which says more about "
      "a model of that size than this generation does.",
      facts.run.model.hidden, merged ? "what mode merged runs" : "the same mode", escape(largest->name()),
      times(change.ratio), sparsity(nearest->sparsity_permille), name_of(change.verdict));
}

}  // namespace trisect::report::why
