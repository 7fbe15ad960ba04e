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
    settings.sparsity_permille = larosa.at("sparsity_permille");
    settings.coefficient_in = larosa.at("coefficient_in");
    settings.coefficient_out = larosa.at("coefficient_out");
    settings.weight_sparsity = known_number(larosa.value("weight_sparsity", Json()));
  }
  settings.context = json.at("context");
  settings.kv_cache = json.at("kv_cache");
  if (const auto& patch = json.at("patch"); !patch.is_null()) {
    settings.patch = Settings::Patch{patch.at("added"), patch.at("removed"), patch.at("tokens"),
                                     patch.at("weights") == "stored"};
  }
  if (const auto& forced = json.at("forced"); !forced.is_null()) settings.forced_text = forced.at("text");
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
          json.at("text"),
          known_number(json.value("characters_out", Json())),
          json.at("stages_s").get<std::map<std::string, double>>()};
}

Side read_side(const Json& json) {
  Side side;
  side.name = json.at("name");
  side.parts = json.at("parts").get<std::vector<std::string>>();
  side.description = json.at("description");
  side.rotation = json.at("rotation");
  side.variants = json.at("variants").get<std::map<std::string, std::string>>();
  side.load_s = json.at("load_s").get<std::vector<double>>();
  if (const Json check = json.value("check", Json()); !check.is_null())
    side.check = SideCheck{check.at("passed"), check.at("tokens"), known_number(check.at("error")),
                           check.at("tolerance")};
  for (const auto& entry : json.at("generations")) side.generations.push_back(read_generation(entry));
  if (const auto& memory = json.at("memory"); !memory.is_null()) {
    side.memory =
        Memory{memory.at("peak_rss_bytes"), memory.at("weights_bytes"), memory.at("rotations_bytes"),
               memory.at("kv_bytes"),       memory.at("scratch_bytes"), memory.at("kv_reserved_bytes"),
               memory.at("kv_used_bytes")};
  }
  side.weight_bytes_per_token = json.at("weight_bytes_per_token");
  side.kv_bytes_per_token = known_number(json.value("kv_bytes_per_token", Json()));
  if (const auto& quality = json.at("quality"); !quality.is_null()) {
    side.quality = Quality{quality.at("text"),
                           quality.at("tokens"),
                           known_number(quality.at("perplexity")),
                           known_number(quality.at("bits_per_character")),
                           known_number(quality.at("kl_nats")),
                           known_number(quality.at("agreement"))};
  }
  if (const auto& agreement = json.at("agreement"); !agreement.is_null()) {
    side.agreement = Agreement{agreement.at("with"), agreement.at("prompts"), agreement.at("identical"),
                               known_number(agreement.at("equal_id_fraction")),
                               known_number(agreement.at("mean_common_prefix"))};
  }
  return side;
}

void check_prompts(const Side& side, std::size_t prompts, const std::string& file) {
  for (const Generation& generation : side.generations) {
    if (static_cast<std::size_t>(generation.prompt) >= prompts) {
      environment_error("{}: a generation of the {} side is of prompt {}, but there are {} prompts", file,
                        side.name, generation.prompt, prompts);
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
    run.prompts.push_back(
        {prompt.at("text"), prompt.at("tokens"), known_number(prompt.value("characters", Json()))});
  std::vector<double> probes;
  for (const auto& value : json.at("probe_gbps")) {
    if (const auto gbps = known_number(value)) probes.push_back(*gbps);
  }
  if (!probes.empty()) {
    run.probe_gbps = summarize(probes).median;
    double seconds = 0;  // for a gigabyte in each
    for (const double gbps : probes) seconds += gbps > 0 ? 1 / gbps : 0;
    if (seconds > 0) run.mean_probe_gbps = static_cast<double>(probes.size()) / seconds;
  }

  for (const auto& side : json.at("sides")) run.sides.push_back(read_side(side));
  if (run.sides.size() < 2)
    environment_error("{}: sides: {}, but a comparison has two or more", path, run.sides.size());
  if (!run.baseline().parts.empty())
    environment_error("{}: sides: the first must be the baseline, which has no parts; this is {}", path,
                      run.baseline().name);
  for (const Side& side : run.sides) {
    if (&side != &run.baseline() && side.parts.empty())
      environment_error("{}: sides: {} has no parts, as the baseline; the file has two", path, side.name);
    check_prompts(side, run.prompts.size(), path);
  }
  return run;
}

}  // namespace trisect::report
