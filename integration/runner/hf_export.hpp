// A model with an adapted vocabulary in a form that transformers loads without knowing of patches.
#pragma once

#include <filesystem>
#include <vector>

#include "integration/phi2/model/patch_vocabulary.hpp"

namespace trisect::runner {

/// What tokenizer.json can say of new tokens.
struct HfTokens {
  std::size_t added = 0;    ///< all of them: each is in the vocabulary, so ids of all decode
  std::size_t encoded = 0;  ///< those that encoding can make, by merges within a word
  std::vector<int>
      unused;  ///< ids whose text is another token's, too: a tokenizer.json has one id for each text
};

/// Writes tokenizer.json in `output`: the base one's with the new tokens at their ids and, for those whose
/// parts can be joined two by two, merges after all others. A byte-level BPE never joins across the pieces of
/// its splitter, so a token that goes on into the next word is decoded but never made; and merges go by rank,
/// not by the fewest tokens. Throws Error(kUsage) for what cannot be said at all: base tokens that were
/// removed or moved.
HfTokens write_hf_tokenizer(const std::filesystem::path& tokenizer_json,
                            const phi2::PatchVocabulary& vocabulary, const std::filesystem::path& output);

/// All tensors of a model directory, an overlay's base's among them, as one model.safetensors in `output`,
/// with its config.json and tokenizer_config.json. The head's bias keeps
/// `unused` ids from being generated.
void write_hf_model(const std::filesystem::path& model, const std::vector<int>& unused,
                    const std::filesystem::path& output);

}  // namespace trisect::runner
