// How many tokens texts have before and after their vocabulary was adapted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/tokenizer/patch_tokenizer.hpp"
#include "integration/runner/record.hpp"

namespace trisect::runner {

struct TokenCount {
  std::string text;  ///< its name
  std::size_t bytes = 0, base = 0, patched = 0;
  double base_s = 0, patched_s = 0;  ///< what encoding took, once; patched_s with the base tokenizer's part

  /// Of the base's tokens, how many are gone; negative when there are more.
  double reduction() const {
    return base == 0 ? 0 : 1 - static_cast<double>(patched) / static_cast<double>(base);
  }
};

/// Throws Error(kCheckFailed) when the text does not come back from its tokens byte for byte.
TokenCount count_tokens(const phi2::PatchTokenizer& tokenizer, std::string name, std::string_view text);

/// The lines of `text` that are neither in it before nor in `known`, with their ends.
std::string new_lines(std::string_view text, std::string_view known);

std::string token_count_table(const std::vector<TokenCount>& counts);
Json token_counts_json(const std::vector<TokenCount>& counts);

}  // namespace trisect::runner
