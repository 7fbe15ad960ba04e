// The vocabularies that compare sets side by side, each with its model, its prompts and its rotations.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "integration/runner/prompts.hpp"
#include "integration/runner/rotations.hpp"

namespace trisect::runner {

/// A model with the sides that have its vocabulary.
struct Vocabulary {
  Model model;
  std::vector<Prompt> prompts;
  std::string rotation_file{};  ///< "" for rotations that need no text
  std::string rotation_name{};  ///< "" for the file's
};

/// "" for a base tokenizer's vocabulary.
std::string patch_hash(const Model& model);

/// The model's own vocabulary and, with --patch-tokenizer, the adapted one; the same prompts in the tokens of
/// each, by default five questions. Throws Error(kUsage) for random prompts that two would have to share, and
/// for two that are one.
std::vector<Vocabulary> vocabularies_of(const ModelOptions& model, PromptOptions prompts,
                                        const SamplingOptions& sampling);

/// Calibrates where no file has the rotations, here, and hands them on in `file`, so that no side's memory
/// knows of it.
void find_rotations(const std::filesystem::path& file, const phi2::LarosaOptions& larosa,
                    Vocabulary& vocabulary);

}  // namespace trisect::runner
