#include "integration/runner/side_by_side.hpp"

#include <fstream>
#include <map>
#include <memory>

#include "integration/runner/quality.hpp"
#include "kernels/core/bandwidth_probe.hpp"

namespace trisect::runner {
namespace {

constexpr int kWarmUpTokens = 2;

/// Memory that could be had without swapping; 0 when unknown.
double available_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) return std::stod(line.substr(13)) * 1024;
  }
  return 0;
}

/// Sides to be loaded beside the baseline, which is there already.
std::size_t room(const CompareSetup& setup, const SideProcess& baseline) {
  if (setup.at_once > 0) return static_cast<std::size_t>(setup.at_once);
  if (setup.options.device != "cpu") return 1;  // memory of the device is not known here
  // Transforming weights, and a process of its own, need some more than the baseline did.
  const double each = 1.25 * baseline.loaded().at("peak_rss_bytes").get<double>() + 256e6;
  return static_cast<std::size_t>(std::max(1.0, available_bytes() / each));
}

void record_load(const SideProcess& process, Side& side) {
  const nlohmann::json& loaded = process.loaded();
  side.load_s = {loaded.at("load_s")};
  side.model_hash = loaded.at("hash");
  const std::string& name = process.how().rotation_name;
  side.rotation = name.empty() || !process.how().larosa ? loaded.at("rotation").get<std::string>() : name;
  side.variants = loaded.at("variants");
  side.weight_bytes_per_token = loaded.at("weight_bytes_per_token");
  side.kv_bytes_per_token =
      kv_bytes_per_token(process.how().model->source.config, process.how().model->dtype);
}

void add(StageSeconds& total, const StageSeconds& more) {
  for (std::size_t i = 0; i < total.size(); ++i) total[i] += more[i];
}

void measure_one(SideProcess& process, Side& side, const SamplingOptions& sampling, int index,
                 int repetition) {
  const Prompt& prompt = (*process.how().prompts)[static_cast<std::size_t>(index)];
  const int most = prompt.forced.empty() ? sampling.max_new_tokens : static_cast<int>(prompt.forced.size());
  const nlohmann::json answer = process.generate(prompt, most);
  GenerationRecord record{.prompt = index,
                          .repetition = repetition,
                          .tokens_in = prompt.ids.size(),
                          .prefill_s = answer.at("prefill_s"),
                          .token_s = answer.at("token_s"),
                          .ids = answer.at("ids"),
                          .text = {},
                          .decode_stages = answer.at("stages_s")};
  if (process.tokenizer() != nullptr) record.text = process.tokenizer()->decode(record.ids);
  add(side.prefill_stages, answer.at("prefill_stages_s"));
  side.decode_steps += record.token_s.size();
  side.memory = answer.at("memory");
  side.generations.push_back(std::move(record));
}

std::string decode_rate(const Side& side, int repetition) {
  double steps = 0, seconds = 0;
  for (const GenerationRecord& record : side.generations) {
    if (record.repetition != repetition) continue;
    steps += static_cast<double>(record.token_s.size());
    seconds += sum(record.token_s);
  }
  return fmt::format("{:.1f}", seconds > 0 ? steps / seconds : 0);
}

/// Logits of the plain kernels, of each model among the sides: with its own vocabulary and the adapted one.
using References = std::map<const Model*, CheckedLogits>;

References references_for(const CompareSetup& setup) {
  References references;
  for (std::size_t i = 0; i < setup.sides.size(); ++i) {
    const SideSetup& side = setup.sides[i];
    if (references.contains(side.model)) continue;
    fmt::print(stderr, "plain kernels: the logits that {} are checked with\n",
               side.patch_tokenizer.empty() ? "all sides" : "sides with AdaptiVocab");
    SideProcess plain(setup, i, "reference", Purpose::kReference);
    references[side.model] = plain.logits(side.prompts->front());
  }
  return references;
}

/// A side that is loaded.
struct Running {
  Side* side;
  std::unique_ptr<SideProcess> process;
};

Running start(const CompareSetup& setup, const References& references, Comparison& comparison,
              std::size_t index) {
  Side& side = comparison.sides[index];
  Running running{&side, std::make_unique<SideProcess>(setup, index, side.name, Purpose::kTimes)};
  record_load(*running.process, side);
  const SideSetup& how = running.process->how();
  side.check =
      judge(running.process->logits(how.prompts->front()), references.at(how.model), how.model->dtype);
  for (const Prompt& prompt : *running.process->how().prompts)
    running.process->generate(prompt, std::min(kWarmUpTokens, setup.sampling.max_new_tokens));
  return running;
}

void measure_group(const CompareSetup& setup, std::vector<Running>& group, const BandwidthProbe& probe,
                   Comparison& comparison, const std::function<void()>& after_repetition) {
  const int done = static_cast<int>(comparison.probe_gbps.size());
  for (int repetition = done; repetition < done + setup.repetitions; ++repetition) {
    let_teams_sleep();
    comparison.probe_gbps.push_back(probe.run());
    for (int i = 0; i < static_cast<int>(comparison.prompts.size()); ++i) {
      for (std::size_t turn = 0; turn < group.size(); ++turn) {
        Running& now = group[(turn + static_cast<std::size_t>(repetition + i)) % group.size()];
        measure_one(*now.process, *now.side, setup.sampling, i, repetition);
      }
    }
    std::vector<std::string> rates;
    for (const Running& running : group) rates.push_back(decode_rate(*running.side, repetition));
    fmt::print(stderr, "repetition {} of {}: decode {} tokens/s, bandwidth probe {:.1f} GB/s\n",
               repetition - done + 1, setup.repetitions, fmt::join(rates, ", "),
               comparison.probe_gbps.back());
    after_repetition();
  }
}

}  // namespace

void measure_generations(const CompareSetup& setup, Comparison& comparison,
                         const std::function<void()>& after_repetition) {
  const References references = references_for(setup);
  std::vector<Running> group;
  group.push_back(start(setup, references, comparison, 0));
  const BandwidthProbe probe;
  const std::size_t most = room(setup, *group.front().process);
  for (std::size_t next = 1; next < comparison.sides.size();) {
    group.erase(group.begin() + 1, group.end());
    const std::size_t end = std::min(comparison.sides.size(), next + most);
    for (; next < end; ++next) group.push_back(start(setup, references, comparison, next));
    std::vector<std::string_view> names;
    for (const Running& running : group) names.push_back(running.side->name);
    fmt::print(stderr, "in turn: {}\n", fmt::join(names, ", "));
    measure_group(setup, group, probe, comparison, after_repetition);
  }
}

void measure_quality(const CompareSetup& setup, const std::string& name, std::string_view text,
                     Comparison& comparison) {
  for (std::size_t i = 0; i < comparison.sides.size(); ++i) {
    Side& side = comparison.sides[i];
    SideProcess process(setup, i, side.name, Purpose::kQuality);
    const std::vector<phi2::TokenId> ids = process.tokenizer()->encode(text);
    fmt::print(stderr, "evaluating {} on {} tokens of {}\n", side.name, ids.size(), name);
    const nlohmann::json answer = process.evaluate(ids);
    const auto number = [&](const char* key) {
      return answer.at(key).is_null() ? std::nullopt : std::optional(answer.at(key).get<double>());
    };
    const phi2::Quality quality{.tokens = answer.at("tokens"),
                                .predicted = answer.at("predicted"),
                                .nll = number("nll").value_or(NAN)};
    const std::int64_t characters =
        predicted_characters(*process.tokenizer(), ids, process.how().model->source.config.positions);
    side.quality = QualityRecord{name,
                                 quality.tokens,
                                 quality.perplexity(),
                                 bits_per_character(quality, characters),
                                 number("kl_nats"),
                                 number("agreement")};
  }
}

}  // namespace trisect::runner
