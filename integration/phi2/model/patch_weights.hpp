// Weights for a patched vocabulary: a transform like merge(), of which the engine knows nothing.
#pragma once

#include "integration/phi2/model/patch_vocabulary.hpp"
#include "integration/phi2/model/weights.hpp"
#include "kernels/adaptivocab/embedding_init.hpp"

namespace trisect::phi2 {

/// Writes a patched vocabulary into a table [rows][hidden], whose first base_tokens rows are those of the
/// base vocabulary: rows of moved tokens go to their ids, new tokens get rows made of those of their parts,
/// weighted towards `heaviest`. Other rows stay, so that those of a model's own padding do.
void patch_rows(const View& table, const PatchVocabulary& vocabulary, adaptivocab::Heaviest heaviest);
/// The same for a table whose columns are tokens, [hidden][rows]; a bias is one of a single row.
void patch_columns(const View& table, const PatchVocabulary& vocabulary, adaptivocab::Heaviest heaviest);

/// Takes the weights over and returns them with embedding, head and head bias patched in place. Load them
/// with at least vocabulary.size() rows. The hash is another. Throws Error(kUsage) when there are too few
/// rows.
Weights patch(Weights weights, const PatchVocabulary& vocabulary);

/// Identity of a patch: hash of everything in it.
std::string hash_of(const PatchVocabulary& vocabulary);

}  // namespace trisect::phi2
