#include "kernels/core/error.hpp"
#include "reports/generator/read_common.hpp"

namespace trisect::report {
namespace {

Settings read_settings(const Json& json) {
  Settings settings;
  settings.dtype = json.at("dtype");
  settings.device = json.at("device");
  settings.max_new_tokens = json.at("max_new_tokens");
  settings.repetitions = json.at("repetitions");
  settings.threads = json.at("threads");
  settings.temperature = json.at("temperature");
  settings.top_p = json.at("top_p");
  settings.seed = json.at("seed");
  if (const auto& larosa = json.at("larosa"); !larosa.is_null()) {
    settings.larosa_mode = larosa.at("mode");
    settings.rotation = larosa.at("rotation");
    settings.sparsity_permille = larosa.at("sparsity_permille");
    settings.coefficient_in = larosa.at("coefficient_in");
    settings.coefficient_out = larosa.at("coefficient_out");
    settings.weight_sparsity = known_number(larosa.value("weight_sparsity", Json()));
  }
  return settings;
}

Generation read_generation(const Json& json) {
  return {json.at("prompt"),
          json.at("repetition"),
          json.at("tokens_in"),
          json.at("tokens_out"),
          json.at("prefill_s"),
          json.at("decode_s"),
          json.at("token_s").get<std::vector<double>>(),
          json.at("text")};
}

Side read_side(const Json& json) {
  Side side;
  side.description = json.at("description");
  side.variants = json.at("variants").get<std::map<std::string, std::string>>();
  side.load_s = json.at("load_s").get<std::vector<double>>();
  for (const auto& entry : json.at("generations")) side.generations.push_back(read_generation(entry));
  if (const auto& memory = json.at("memory"); !memory.is_null()) {
    side.memory =
        Memory{memory.at("peak_rss_bytes"), memory.at("weights_bytes"), memory.at("rotations_bytes"),
               memory.at("kv_bytes"),       memory.at("scratch_bytes"), memory.value("tokenizer_bytes", 0.0)};
  }
  side.stages_s = json.at("stages_s").get<std::map<std::string, double>>();
  side.decode_steps = json.at("decode_steps");
  side.weight_bytes_per_token = json.at("weight_bytes_per_token");
  if (const auto& quality = json.at("quality"); !quality.is_null()) {
    side.quality = Quality{quality.at("text"), quality.at("tokens"), known_number(quality.at("perplexity")),
                           known_number(quality.at("bits_per_character"))};
  }
  return side;
}

void check_prompts(const Side& side, const char* name, std::size_t prompts, const std::string& file) {
  for (const Generation& generation : side.generations) {
    if (static_cast<std::size_t>(generation.prompt) >= prompts) {
      environment_error("{}: a generation of the {} side is of prompt {}, but there are {} prompts", file,
                        name, generation.prompt, prompts);
    }
  }
}

}  // namespace

CompareRun read_compare(const std::filesystem::path& directory,
                        const std::filesystem::path& report_directory) {
  const JsonFile file = read_json_file(directory / kCompareFile, "compare");
  const Json& json = file.json;
  const std::string path = file.path.string();
  CompareRun run;
  run.origin = read_origin(json, "phi2 compare");
  run.origin.files = {input_file(file, report_directory)};
  run.model = read_model(json.at("model"));
  run.settings = read_settings(json.at("settings"));
  for (const auto& prompt : json.at("prompts"))
    run.prompts.push_back({prompt.at("text"), prompt.at("tokens")});
  std::vector<double> probes;
  for (const auto& value : json.at("probe_gbps")) {
    if (const auto gbps = known_number(value)) probes.push_back(*gbps);
  }
  if (!probes.empty()) run.probe_gbps = summarize(probes).median;

  const auto& sides = json.at("sides");
  if (sides.size() != 2 || sides[0].at("name") != "baseline" || sides[1].at("name") != "optimized") {
    environment_error("{}: sides must be baseline and optimized, in this order", path);
  }
  run.baseline = read_side(sides[0]);
  run.optimized = read_side(sides[1]);
  check_prompts(run.baseline, "baseline", run.prompts.size(), path);
  check_prompts(run.optimized, "optimized", run.prompts.size(), path);
  if (const auto agreement = json.find("agreement"); agreement != json.end() && !agreement->is_null()) {
    run.agreement = Agreement{agreement->at("prompts"), agreement->at("identical"),
                              known_number(agreement->at("equal_id_fraction")),
                              known_number(agreement->at("mean_common_prefix"))};
  }
  return run;
}

}  // namespace trisect::report
