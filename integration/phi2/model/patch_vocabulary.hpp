// A patch tokenizer as data: which ids of a base tokenizer's vocabulary are joined, taken away or moved.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/adaptivocab/patch_encode.hpp"

namespace trisect::phi2 {

/// How the rows of new tokens are made of those of their parts: adaptivocab/embedding_init, or draws from a
/// normal distribution with the table's mean and deviation as a control.
enum class InitKind { kExponential, kMean, kRandom };
std::string_view name_of(InitKind kind);              ///< "exponential", "mean", "random"
InitKind init_kind_from_name(std::string_view name);  ///< throws Error(kUsage)

struct PatchVocabulary {
  using Id = std::int32_t;
  /// A new token and the base tokens that it stands for, at least two.
  struct Added {
    Id id;
    std::vector<Id> parts;
  };
  /// A base token that has no id any more, and the base tokens with the same bytes that stand for it; these
  /// may be removed, too, and are then decomposed further.
  struct Removed {
    Id token;
    std::vector<Id> pieces;
  };
  /// A base token whose id is another than the base tokenizer's.
  struct Moved {
    Id token, id;
  };

  int base_tokens = 0;    ///< ids of the base tokenizer: 0..base_tokens-1
  std::string base_hash;  ///< of the base tokenizer (tokenizer_hash())
  adaptivocab::PatchMode mode = adaptivocab::PatchMode::kOptimal;
  InitKind init = InitKind::kExponential;
  double init_base = 2;
  std::uint64_t init_seed = 1;
  std::vector<Added> added;  ///< in the order in which they were selected
  std::vector<Removed> removed;
  std::vector<Moved> moved;

  /// Ids in use: 0..size()-1, all of them.
  int size() const { return base_tokens - static_cast<int>(removed.size()) + static_cast<int>(added.size()); }
  /// The id of each base token, or -1 where it was removed.
  std::vector<Id> ids_of_base() const;
  /// The base tokens, none of them removed, that stand for each removed one; in the order of `removed`.
  std::vector<std::vector<Id>> resolved_pieces() const;
};

/// Throws Error(kEnvironment), one line that begins with `file`, unless every id is in range, used once and
/// none is left out; every new token has at least two parts and is not there twice; and no removed token is
/// made of itself.
void validate(const PatchVocabulary& vocabulary, const std::filesystem::path& file);

/// patch_tokenizer.json, version 1; docs/patch_tokenizer.md describes it. Reading validates. Throws
/// Error(kEnvironment) with file, field and remedy; for the authors' pickle it names the script that converts
/// it.
PatchVocabulary read_patch_file(const std::filesystem::path& file);
void write_patch_file(const std::filesystem::path& file, const PatchVocabulary& vocabulary);

/// The name of that file in the directory of a model whose weights are adapted already.
inline constexpr char kPatchFile[] = "patch_tokenizer.json";

}  // namespace trisect::phi2
