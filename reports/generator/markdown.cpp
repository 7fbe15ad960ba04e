#include "reports/generator/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace trisect::report {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Bytes of a character that turns the direction of text, or ends a line where none is expected: what follows
/// it would not be read as it stands. 0 for any other.
std::size_t steering(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) <= 0x9F) return 2;  // C1 controls
  if (byte(0) != 0xE2) return 0;
  const bool marks =
      byte(1) == 0x80 && (byte(2) == 0x8E || byte(2) == 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAE));
  const bool isolates = byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9;
  return marks || isolates ? 3 : 0;
}

/// One space for each character that steers; line breaks stay where `lines` says so.
std::string plain(std::string_view text, bool lines = false) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t skipped = steering(text.substr(i));
    const bool kept = skipped == 0 && (!is_control(text[i]) || (lines && text[i] == '\n'));
    out += kept ? text[i] : ' ';
    i += std::max<std::size_t>(1, skipped);
  }
  return out;
}

/// Code points: what a fixed-width reader sees of the scripts that our own text uses.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::size_t longest_run(std::string_view text, char wanted) {
  std::size_t longest = 0, current = 0;
  for (const char c : text) {
    current = c == wanted ? current + 1 : 0;
    longest = std::max(longest, current);
  }
  return longest;
}

std::string padded(const std::string& cell, std::size_t to, Table::Align align) {
  const std::string space(to - std::min(to, width(cell)), ' ');
  return align == kLeft ? cell + space : space + cell;
}

std::string line(const std::vector<std::string>& cells) {
  return fmt::format("| {} |\n", fmt::join(cells, " | "));
}

}  // namespace

std::string escape(std::string_view unsafe) {
  const std::string text = plain(unsafe);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool inside_word = c == '_' && i > 0 && i + 1 < text.size() && is_alphanumeric(text[i - 1]) &&
                             is_alphanumeric(text[i + 1]);
    if (!inside_word && std::string_view("\\`*_[]<>|#~$&").find(c) != std::string_view::npos) out += '\\';
    // GitHub makes links of bare addresses.
    const bool address = (c == ':' && text.compare(i, 3, "://") == 0) ||
                         (c == '.' && i >= 3 && text.compare(i - 3, 3, "www") == 0);
    if (address) out += '\\';
    out += c;
  }
  return out;
}

std::string code(std::string_view text) {
  const std::string inner = plain(text);
  const std::string fence(longest_run(text, '`') + 1, '`');
  const char* space = fence.size() > 1 ? " " : "";
  return inner.empty() ? "" : fence + space + inner + space + fence;
}

std::string code_block(std::string_view unsafe) {
  const std::string text = plain(unsafe, true);
  const std::string fence(std::max<std::size_t>(3, longest_run(text, '`') + 1), '`');
  return fmt::format("{}\n{}\n{}\n", fence, text, fence);
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : plain(text, true)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "<br>";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_url(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = is_alphanumeric(c) || std::string_view("./_-").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string shell_command(const std::vector<std::string>& arguments) {
  std::string out;
  for (const std::string& argument : arguments) {
    const bool plain = !argument.empty() && std::all_of(argument.begin(), argument.end(), [](char c) {
      return is_alphanumeric(c) || std::string_view("./_-=:,+@%").find(c) != std::string_view::npos;
    });
    if (!out.empty()) out += ' ';
    if (plain) {
      out += argument;
      continue;
    }
    out += '\'';
    for (const char c : argument) out += c == '\'' ? "'\\''" : std::string(1, c);
    out += '\'';
  }
  return out;
}

std::string details(std::string_view summary, std::string_view body) {
  return fmt::format("<details>\n<summary>{}</summary>\n\n{}\n</details>\n\n", escape_html(summary), body);
}

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; ++at) {
      // A bar ends a cell even inside a code span.
      if (at == 0 || cell[at - 1] != '\\') cell.insert(at++, 1, '\\');
    }
  }
  rows_.push_back(std::move(cells));
}

std::string Table::markdown() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = std::max<std::size_t>(3, width(columns_[i].title));
    for (const auto& row : rows_) widest = std::max(widest, width(row[i]));
    widths.push_back(widest);
  }
  const auto render = [&](const std::vector<std::string>& cells) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < cells.size(); ++i)
      out.push_back(padded(cells[i], widths[i], columns_[i].align));
    return line(out);
  };
  std::vector<std::string> titles, rules;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    titles.push_back(columns_[i].title);
    rules.push_back(columns_[i].align == kLeft ? ":" + std::string(widths[i] - 1, '-')
                                               : std::string(widths[i] - 1, '-') + ":");
  }
  std::string out = render(titles) + line(rules);
  for (const auto& row : rows_) out += render(row);
  return out + "\n";
}

}  // namespace trisect::report
