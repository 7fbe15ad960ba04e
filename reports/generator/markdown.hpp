// Markdown that reads as plain text too and renders on GitHub. Text from result files is escaped: it can make
// neither markup nor a broken table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trisect::report {

/// For prose and table cells: characters with a meaning in markdown are escaped, control characters become
/// spaces.
std::string escape(std::string_view text);

/// A code span.
std::string code(std::string_view text);

/// A fenced block whose fence is longer than any in `text`.
std::string code_block(std::string_view text);

/// Text inside an HTML element, on one line: line breaks become <br>.
std::string escape_html(std::string_view text);

/// A relative link or picture target.
std::string escape_url(std::string_view path);

/// Arguments as a POSIX shell takes them.
std::string shell_command(const std::vector<std::string>& arguments);

/// A collapsed section; `body` is markdown.
std::string details(std::string_view summary, std::string_view body);

/// A pipe table with its columns padded to one width.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// `cells` are markdown and as many as columns.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  std::string markdown() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

inline constexpr Table::Align kLeft = Table::Align::kLeft;

}  // namespace trisect::report
