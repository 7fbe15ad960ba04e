// The files of a model whose vocabulary was adapted.
#pragma once

#include <filesystem>

#include "integration/phi2/model/patch_weights.hpp"

namespace trisect::runner {

/// Throws Error(kUsage) when the model's vocabulary is adapted already.
void refuse_adapted(const std::filesystem::path& directory);

/// Throws Error(kUsage): a patch beside a model's weights says that they are adapted.
void refuse_same_directory(const std::filesystem::path& model, const std::filesystem::path& output);

void make_directory(const std::filesystem::path& directory);

/// Writes model.safetensors, config.json and tokenizer.json of `model`, adapted, beside patch_tokenizer.json
/// in `output`. Embedding, head and its bias are computed in f32 and stored in the types they had; all other
/// tensors are copied as they are. Reading that directory gives the same tables as patch() of the model
/// loaded in the stored type. Throws Error(kEnvironment) with file and tensor.
void write_adapted_model(const std::filesystem::path& model, const phi2::PatchVocabulary& vocabulary,
                         const std::filesystem::path& output, const phi2::Progress& progress = {});

}  // namespace trisect::runner
