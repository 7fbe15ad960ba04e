#include "reports/generator/units.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cmath>

namespace trisect::report {

std::string number(double value) {
  const double size = std::abs(value);
  const int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 || size == 0 ? 2 : 3;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string microseconds(double nanoseconds) { return number(nanoseconds / 1e3); }

std::string microseconds_range(const Summary& nanoseconds) {
  return microseconds(nanoseconds.q1) + "–" + microseconds(nanoseconds.q3);
}

std::string seconds(double value) {
  if (value == 0) return "0 s";
  const double size = std::abs(value);
  if (size >= 0.9995) return number(value) + " s";
  if (size >= 0.9995e-3) return number(value * 1e3) + " ms";
  return number(value * 1e6) + " µs";
}

std::string bytes(double value) {
  const double size = std::abs(value);
  if (size >= 0.9995e9) return number(value / 1e9) + " GB";
  if (size >= 0.9995e6) return number(value / 1e6) + " MB";
  if (size >= 0.9995e3) return number(value / 1e3) + " kB";
  return fmt::format("{:.0f} bytes", value);
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", fraction * 100); }
std::string signed_percent(double fraction) {
  const std::string text = fmt::format("{:+.1f} %", fraction * 100);
  return text == "-0.0 %" ? "+0.0 %" : text;
}
std::string times(double ratio) { return fmt::format("{:.2f}×", ratio); }
std::string times(const Ratio& ratio) {
  return fmt::format("{:.2f}× ({:.2f}–{:.2f})", ratio.centre, ratio.low, ratio.high);
}
std::string sparsity(int permille) {
  return permille % 10 == 0 ? fmt::format("{} %", permille / 10) : fmt::format("{:.1f} %", permille / 10.0);
}
std::string optional_number(const std::optional<double>& value) { return value ? number(*value) : kNone; }
std::string capitalized(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}
std::string count(long value, const std::string& singular) {
  return fmt::format("{} {}{}", value, singular, value == 1 ? "" : "s");
}

}  // namespace trisect::report
