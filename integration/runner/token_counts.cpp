#include "integration/runner/token_counts.hpp"

#include <chrono>
#include <unordered_set>

#include "integration/runner/measured.hpp"

namespace trisect::runner {
namespace {

/// Calls take(line) for every line, its end included.
template <class Take>
void each_line(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const std::size_t at = text.find('\n'), end = at == text.npos ? text.size() : at + 1;
    take(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

TokenCount count_tokens(const phi2::PatchTokenizer& tokenizer, std::string name, std::string_view text) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<phi2::TokenId> base = tokenizer.base().encode(text);
  const double base_s = seconds_since(start);
  const std::size_t count = base.size();
  const std::vector<phi2::TokenId> ids = tokenizer.patched(std::move(base));
  const double patched_s = seconds_since(start);
  if (tokenizer.decode(ids) != text) {
    throw Error(ExitCode::kCheckFailed,
                fmt::format("{}: the patched tokens do not decode to the text", name));
  }
  return {std::move(name), text.size(), count, ids.size(), base_s, patched_s};
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
                    {"patched_tokens", one.patched},
                    {"base_encode_s", one.base_s},
                    {"patched_encode_s", one.patched_s}});
  }
  return list;
}

}  // namespace trisect::runner
