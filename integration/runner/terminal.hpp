// What a person sees.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "integration/phi2/model/weights.hpp"

namespace trisect::runner {

/// Standard output, at once. Throws Error(kEnvironment) when it cannot be written.
void print(std::string_view text);

/// Shows progress on standard error if that is a terminal.
phi2::Progress show_progress();

/// The same, and throws Error(kInterrupted) after Ctrl-C: for work that does not watch for it.
phi2::Progress stoppable_progress();

std::string seconds_text(double seconds);  ///< "1.23 s", "4.56 ms"
std::string bytes_text(double bytes);      ///< "5.56 GB", GB = 1e9

}  // namespace trisect::runner
