#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/core/error.hpp"
#include "reports/generator/read_common.hpp"

namespace trisect::report {
namespace {

double total(const std::vector<double>& counts) { return std::accumulate(counts.begin(), counts.end(), 0.0); }

TokenizedText read_text(const Json& json, const std::string& where) {
  TokenizedText text{json.at("name"),
                     json.at("hash"),
                     json.at("characters"),
                     json.at("base_tokens"),
                     json.at("patched_tokens"),
                     json.at("base_tokens_per_word").get<std::vector<double>>(),
                     json.at("patched_tokens_per_word").get<std::vector<double>>()};
  if (text.base_tokens == 0) environment_error("{}.base_tokens is 0: the text is empty", where);
  // The words are the text's, whatever the tokens are.
  if (total(text.base_words) != total(text.patched_words)) {
    environment_error("{}: base_tokens_per_word has {} words, patched_tokens_per_word {}: run it again",
                      where, total(text.base_words), total(text.patched_words));
  }
  return text;
}

VocabularySide read_side(const Json& json, const std::string& where) {
  VocabularySide side{json.at("name"),
                      json.at("description"),
                      json.at("hash"),
                      json.at("vocabulary"),
                      json.at("patched"),
                      json.at("weights_bytes"),
                      json.at("kv_bytes_per_token"),
                      {},
                      {}};
  for (const Json& quality : json.at("quality")) {
    side.quality.push_back({quality.at("text"), quality.at("characters"), quality.at("tokens"),
                            quality.at("evaluate_s"), known_number(quality.at("bits_per_character"))});
  }
  for (const Json& sample : json.at("samples")) {
    side.samples.push_back({sample.at("prompt"), sample.at("seed"), sample.at("tokens_out"),
                            sample.at("characters_out"), sample.at("decode_steps"), sample.at("decode_s"),
                            sample.at("ended")});
  }
  for (std::size_t i = 0; i < side.quality.size(); ++i) {
    if (side.quality[i].tokens > 0 && side.quality[i].characters > 0) continue;
    environment_error("{}.quality[{}]: the text is empty", where, i);
  }
  return side;
}

}  // namespace

VocabularyRun read_vocabulary(const std::filesystem::path& directory,
                              const std::filesystem::path& report_directory) {
  const JsonFile file = read_json_file(directory / kVocabularyFile, "vocabulary");
  const Json& json = file.json;
  const std::string path = file.path.string();
  VocabularyRun run;
  run.origin = read_origin(json, "phi2 vocabulary");
  run.origin.files = {input_file(file, report_directory)};
  run.model = read_model(json.at("model"));
  const Json& settings = json.at("settings");
  run.dtype = settings.at("dtype");
  run.device = settings.at("device");
  run.threads = settings.at("threads");
  run.max_new_tokens = settings.at("max_new_tokens");
  run.seeds = settings.at("seeds");
  run.window_tokens = settings.at("window_tokens");
  run.temperature = settings.at("temperature");
  run.top_p = settings.at("top_p");
  run.added = settings.at("patch").at("added");
  run.removed = settings.at("patch").at("removed");
  run.prompts = json.at("prompts");
  const auto numbered = [&](const char* list, std::size_t i) {
    return fmt::format("{}: {}[{}]", path, list, i);
  };
  for (std::size_t i = 0; i < json.at("texts").size(); ++i)
    run.texts.push_back(read_text(json.at("texts")[i], numbered("texts", i)));
  run.top_text = json.at("top").at("text");
  for (const Json& token : json.at("top").at("tokens"))
    run.top.push_back({token.at("text"), token.at("parts"), token.at("count")});
  for (std::size_t i = 0; i < json.at("sides").size(); ++i)
    run.sides.push_back(read_side(json.at("sides")[i], numbered("sides", i)));
  if (run.texts.empty()) environment_error("{}: texts is empty", path);
  if (run.sides.size() < 2 || run.sides.front().patched || !run.sides.back().patched)
    environment_error("{}: sides must begin with the base model and end with the adapted one", path);
  return run;
}

}  // namespace trisect::report
