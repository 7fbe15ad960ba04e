// Numbers as the report writes them. kNone stands where there is no number.
#pragma once

#include <optional>
#include <string>

#include "reports/generator/statistics.hpp"

namespace trisect::report {

inline constexpr char kNone[] = "–";

/// Three significant digits, more only for integers: 0.123, 1.23, 12.3, 123, 1234.
std::string number(double value);

std::string microseconds(double nanoseconds);                ///< without the unit
std::string microseconds_range(const Summary& nanoseconds);  ///< "q1–q3", without the unit
std::string seconds(double value);                           ///< "1.23 s", "45.6 ms", "7.89 µs"
std::string bytes(double value);                             ///< "1.23 GB", "45.6 MB", "789 kB"
std::string percent(double fraction);                        ///< "12.3 %"
std::string signed_percent(double fraction);                 ///< "+12.3 %"
std::string times(double ratio);                             ///< "1.23×"
std::string times(const Ratio& ratio);                       ///< "1.23× (1.20–1.25)"
std::string sparsity(int permille);                          ///< "40 %", "37.5 %"
std::string optional_number(const std::optional<double>& value);
std::string capitalized(std::string text);                   ///< of an ASCII letter
std::string count(long value, const std::string& singular);  ///< "1 row", "3 rows"

}  // namespace trisect::report
