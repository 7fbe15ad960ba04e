#include "integration/runner/token_counts.hpp"

#include <unordered_set>

namespace trisect::runner {
namespace {

/// Calls take(line) for every line, its end included.
template <class Take>
void each_line(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const std::size_t end =
        std::min(text.size(), text.find('\n', 0) == text.npos ? text.size() : text.find('\n') + 1);
    take(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

TokenCount count_tokens(const phi2::PatchTokenizer& tokenizer, std::string name, std::string_view text) {
  std::vector<phi2::TokenId> base = tokenizer.base().encode(text);
  const std::size_t count = base.size();
  const std::vector<phi2::TokenId> ids = tokenizer.patched(std::move(base));
  if (tokenizer.decode(ids) != text) {
    throw Error(ExitCode::kCheckFailed,
                fmt::format("{}: the patched tokens do not decode to the text", name));
  }
  return {std::move(name), text.size(), count, ids.size()};
}

std::string new_lines(std::string_view text, std::string_view known) {
  std::unordered_set<std::string_view> seen;
  each_line(known, [&](std::string_view line) { seen.insert(line); });
  std::string lines;
  each_line(text, [&](std::string_view line) {
    if (seen.insert(line).second) lines += line;
  });
  return lines;
}

std::string token_count_table(const std::vector<TokenCount>& counts) {
  std::string table =
      fmt::format("{:<36} {:>12} {:>12} {:>12} {:>9}\n", "text", "bytes", "base tokens", "patched", "fewer");
  for (const TokenCount& one : counts) {
    table += fmt::format("{:<36} {:>12} {:>12} {:>12} {:>8.2f}%\n", one.text, one.bytes, one.base,
                         one.patched, 100 * one.reduction());
  }
  return table;
}

Json token_counts_json(const std::vector<TokenCount>& counts) {
  Json list = Json::array();
  for (const TokenCount& one : counts) {
    list.push_back({{"text", one.text},
                    {"bytes", one.bytes},
                    {"base_tokens", one.base},
                    {"patched_tokens", one.patched}});
  }
  return list;
}

}  // namespace trisect::runner
