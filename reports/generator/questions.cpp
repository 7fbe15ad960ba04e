#include "reports/generator/questions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/devices.hpp"
#include "reports/generator/headline.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

struct Winner {
  std::string way;
  Change change;
};

/// The fastest of the ways that are judged faster at this sparsity; naive is what they are to beat.
std::optional<Winner> winner(const Work& work, int permille) {
  std::optional<Winner> best;
  for (const std::string& way : work.ways) {
    const Way* found = way == kNaive ? nullptr : work.find(permille, way);
    if (found == nullptr || found->faster().verdict != Verdict::kFaster) continue;
    if (!best || found->faster().ratio.centre > best->change.ratio.centre)
      best = Winner{way, found->faster()};
  }
  return best;
}

/// Kernels that a way launches beyond dense's two products of a block: only a rotation needs one of its own,
/// for the product's kernel finds the threshold itself.
int extra_launches(const std::string& way) {
  return way == kOnline || way == kMergedLayer ? 1 : way == kNaive ? 6 : 0;
}

}  // namespace

std::string answer_larosa(const Results& results, const std::vector<Layer>& layers) {
  const auto work = headline_work(layers);
  if (!work) return "";
  std::string text;
  for (const int permille : headline_sparsities(*work)) {
    const auto best = winner(*work, permille);
    if (!best) {
      text += fmt::format("At {} no way is judged faster than dense. ", sparsity(permille));
      continue;
    }
    text += fmt::format("At {} sparsity the fastest way is {}: {} of dense's speed", sparsity(permille),
                        best->way, times(best->change.ratio));
    const auto quality = quality_of(results, best->way, permille);
    text += quality ? fmt::format(", at a perplexity of {} ({} over dense's). ", number(quality->perplexity),
                                  signed_percent(quality->price - 1))
                    : "; its price in quality was not measured. ";
  }
  text.back() = '\n';
  return text + "\n" + larosa_headline(results, layers);
}

std::string answer_h100(const Results& results, const std::vector<Layer>& layers) {
  const auto work = headline_work(layers);
  if (!work) return "";
  constexpr double kGbps = kH100.gbps;
  Table table({{"way", kLeft},
               {"sparsity"},
               {"measured on this CPU"},
               {"bound, H100: dense µs"},
               {"bound, H100: way µs"},
               {"model, H100: speed-up"}});
  double dense_ns = 0;
  for (const std::string& way : work->ways) {
    for (const int permille : headline_sparsities(*work)) {
      const Way* found = work->find(permille, way);
      if (found == nullptr) continue;
      dense_ns = found->dense_weight_bytes / kGbps;
      const double way_ns = found->weight_bytes / kGbps + extra_launches(way) * kLaunchSeconds * 1e9;
      table.add({way, sparsity(permille), times(found->faster().ratio), microseconds(dense_ns),
                 microseconds(way_ns), times(dense_ns / way_ns)});
    }
  }
  if (table.empty()) return "";
  const auto rows = results.rows();
  const bool measured = std::any_of(rows.begin(), rows.end(),
                                    [](const Row* row) { return row->device != "cpu" && row->time_ns; });
  return fmt::format(
             "{} Reading the block's weights once at the {} GB/s of its data "
             "sheet "
             "takes {}; beside that a launch of {} inside a graph is {}, so few and fused kernels decide. "
             "Bounds are "
             "bytes over that bandwidth and the launches beyond dense's: one for a rotation, six for what "
             "naive does "
             "step by step. No kernel can be faster, none is claimed to be as fast.\n\n",
             measured ? "This is a model; what was measured on a GPU is under \"CPU and GPU side by side\"."
                      : "Nothing here was measured on one.",
             number(kGbps), seconds(dense_ns / 1e9), seconds(kLaunchSeconds),
             percent(kLaunchSeconds * 1e9 / dense_ns)) +
         table.markdown();
}

std::string answer_vattention(const Results& results) { return vattention_headline(results); }

std::string answer_adaptivocab(const Results& results) { return adaptivocab_headline(results); }

std::string answer_why_not_faster(const std::vector<Layer>& layers) {
  const auto work = headline_work(layers);
  if (!work) return "";
  const int permille = headline_sparsities(*work).front();
  const Way* naive = work->find(permille, kNaive);
  if (naive == nullptr || naive->faster().verdict == Verdict::kFaster) return "";
  const auto product = naive->stage_ns.find(kProductStage);
  if (product == naive->stage_ns.end()) return "";
  double rest = 0;
  for (const auto& [stage, time] : naive->stage_ns) rest += stage == kProductStage ? 0 : time;
  return fmt::format(
      "It rotates, selects, scatters into a dense vector, rotates back and multiplies by every weight: at {} "
      "sparsity its product takes {} µs where dense as a whole takes {}, and what stands around it adds {} "
      "µs. It "
      "reads {} where dense reads {} (computed), so it runs at {} of dense's speed. Only a product that "
      "skips the "
      "rows of what was dropped reads less.\n\n",
      sparsity(permille), microseconds(product->second), microseconds(naive->dense_ns.median),
      microseconds(rest), bytes(naive->weight_bytes), bytes(naive->dense_weight_bytes),
      times(naive->faster().ratio));
}

std::string answer_why_more_memory(const Results& results, const std::vector<Layer>& layers) {
  std::string text;
  std::vector<const TraceRun*> traces;
  for (const TraceRun& run : results.traces) traces.push_back(&run);
  // Small granules first: with huge ones even vattention commits more than it uses.
  std::stable_partition(traces.begin(), traces.end(),
                        [](const TraceRun* run) { return run->granule == "small"; });
  for (const TraceRun* const trace : traces) {
    const TraceRun& run = *trace;
    const TraceCache *books = run.find("tracked"), *fixed = run.find("static"), *real = run.find(kVattention);
    if (books == nullptr || fixed == nullptr || real == nullptr) continue;
    if (fixed->average.committed <= 0 || books->average.committed < 0.99 * fixed->average.committed) continue;
    text += fmt::format(
        "Books alone free nothing: on {}, `tracked`, which only counts pages, committed {} on average where "
        "`static` committed {} and `vattention`, which maps them, {}. ",
        trace_label(run, results.traces), bytes(books->average.committed), bytes(fixed->average.committed),
        bytes(real->average.committed));
    break;
  }
  if (const auto work = headline_work(layers)) {
    const Way* naive = work->find(headline_sparsities(*work).front(), kNaive);
    if (naive != nullptr && naive->weight_bytes > naive->dense_weight_bytes)
      text += fmt::format(
          "Rotations at run time are weights too: the block's are read twice, {} more than dense's {} "
          "(computed); a "
          "model keeps one a layer, unless they are merged. ",
          bytes(naive->weight_bytes - naive->dense_weight_bytes), bytes(naive->dense_weight_bytes));
  }
  if (text.empty()) return "";
  text.back() = '\n';
  return text + "\n";
}

std::string answer_why_more_tokens(const Results& results) {
  if (results.vocabularies.empty()) return "";
  const VocabularyRun& run = results.vocabularies.front();
  std::vector<double> lengths;
  for (const Sample& sample : run.sides.front().samples) {
    if (sample.tokens_out > 0) lengths.push_back(sample.characters_out / sample.tokens_out);
  }
  if (run.seeds < 2 || lengths.size() < 2) return "";
  const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
  if (*most < 1.02 * *least) return "";
  return fmt::format(
      "Without a vocabulary for the domain nothing saves a token: text is cut as before. What then differs "
      "is the "
      "sampling. With {}'s own vocabulary and the same {} at temperature {}, a token stood for {} to {} "
      "characters "
      "of output, by prompt and seed, so lengths of single runs show chance; intervals over seeds are "
      "needed, as "
      "above.\n\n",
      escape(run.model.name), count(run.prompts, "prompt"), number(run.temperature), number(*least),
      number(*most));
}

std::string questions_section(const Results& results, const std::vector<Layer>& layers) {
  const std::pair<const char*, std::string> all[] = {
      {"Does LaRoSA pay on this CPU, from which sparsity, at what quality?", answer_larosa(results, layers)},
      {"How good is the dense model that LaRoSA is compared with?", answer_dense(results)},
      {"What would bound it on an H100?", answer_h100(results, layers)},
      {"What does vAttention save against each KV cache, and cost in time?", answer_vattention(results)},
      {"What does AdaptiVocab save, and at what quality?", answer_adaptivocab(results)},
      {"What do they bring together?", answer_together(results)},
      {"Why is a first implementation of LaRoSA not faster?", answer_why_not_faster(layers)},
      {"Why does it use more memory?", answer_why_more_memory(results, layers)},
      {"Why may it generate more tokens?", answer_why_more_tokens(results)},
  };
  std::string text;
  for (const auto& [question, answer] : all) {
    if (!answer.empty()) text += fmt::format("### {}\n\n{}", question, answer);
  }
  return text.empty() ? "" : "## Questions\n\n" + text;
}

}  // namespace trisect::report
