// Builds a patch vocabulary from a text of the domain.
#pragma once

#include <functional>
#include <string_view>

#include "integration/phi2/model/patch_vocabulary.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"
#include "integration/phi2/tokenizer/tokenizer_file.hpp"

namespace trisect::phi2 {

struct PatchBuildOptions {
  int add = 0;        ///< new tokens, fewer when the text has not so many n-grams
  int max_n = 3;      ///< base tokens of the longest n-gram
  int min_count = 2;  ///< places that an n-gram must still save something at when it is chosen
  bool swap = false;  ///< new tokens take the ids of the least used ones; otherwise the ids after the last
  bool cross_words = true;      ///< whether an n-gram may go on into the next word
  bool cross_lines = true;      ///< whether an n-gram may have line ends in it
  bool digits = false;          ///< whether n-grams may be nothing but digits
  bool released_score = false;  ///< count x n instead of tokens saved (adaptivocab/ngram_select)
};

struct PatchBuild {
  PatchVocabulary vocabulary;      ///< its mode and init are the defaults
  std::vector<int> count;          ///< by new token: its places when it was chosen
  std::int64_t corpus_tokens = 0;  ///< of the base tokenizer
};

/// `tokenizer` is the one of `file`. N-grams never contain added tokens (special ones, runs of blanks) nor
/// other tokens of white space alone. With `swap` the tokens that are removed are, of those that a merge
/// makes, the ones that the text does not have, the longest first, then the least frequent; each is
/// decomposed into the two of its first merge. `progress` as for weights. Throws Error(kUsage) for impossible
/// numbers and a text without n-grams.
PatchBuild build_patch(const TokenizerFile& file, const Tokenizer& tokenizer, std::string_view text,
                       const PatchBuildOptions& options,
                       const std::function<void(std::string_view, double)>& progress = {});

}  // namespace trisect::phi2
