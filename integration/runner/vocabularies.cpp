#include "integration/runner/vocabularies.hpp"

#include "integration/phi2/model/patch_weights.hpp"
#include "integration/runner/files.hpp"

namespace trisect::runner {

std::string patch_hash(const Model& model) { return model.patch ? phi2::hash_of(*model.patch) : ""; }

std::vector<Vocabulary> vocabularies_of(const ModelOptions& model, PromptOptions prompts,
                                        const SamplingOptions& sampling) {
  std::vector<ModelOptions> options{model};
  options.front().patch_tokenizer.clear();
  if (!model.patch_tokenizer.empty()) options.push_back(model);
  std::vector<Vocabulary> vocabularies;
  for (const ModelOptions& one : options) {
    Model found = find_model(one);
    if (prompts.file.empty() && prompts.random_tokens == 0 && prompts.decode_text.empty() && found.tokenizer)
      prompts.file = find_questions();
    std::vector<Prompt> read = read_prompts(prompts, found, sampling.params.seed);
    vocabularies.push_back({std::move(found), std::move(read)});
  }
  if (vocabularies.size() == 1) return vocabularies;
  if (prompts.random_tokens > 0) {
    usage_error(
        "--prompt-tokens: random ids are no text that two vocabularies could share: add --prompts FILE");
  }
  if (patch_hash(vocabularies[0].model) == patch_hash(vocabularies[1].model))
    usage_error("--patch-tokenizer {}: {} has that vocabulary already", model.patch_tokenizer, model.model);
  return vocabularies;
}

void find_rotations(const std::filesystem::path& file, const phi2::LarosaOptions& larosa,
                    Vocabulary& vocabulary) {
  if (rotations_need_no_text(vocabulary.model, larosa, vocabulary.rotation_file)) return;
  const phi2::Rotations rotations =
      calibrate_by_default(vocabulary.model, load_weights(vocabulary.model), larosa);
  phi2::save_rotations(file, rotations);
  vocabulary.rotation_file = file;
  vocabulary.rotation_name = default_origin(rotations);
}

}  // namespace trisect::runner
