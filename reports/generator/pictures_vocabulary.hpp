// The picture of an adapted vocabulary.
#pragma once

#include "reports/generator/plot.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

inline constexpr std::size_t kMostTokensPerWord = 6;  ///< words of more are in the last bar

/// Share of the words, in %, that begin k tokens; k up to kMostTokensPerWord, which stands for more, too.
std::vector<double> word_shares(const std::vector<double>& words);

/// Tokens per word as a histogram, the base vocabulary's bars beside the adapted one's, a panel for each
/// text.
Picture words_picture(const VocabularyRun& run, int number, const std::string& file_prefix);

}  // namespace trisect::report
