#include "integration/runner/terminal.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::runner {

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    environment_error("cannot write to standard output: {}", std::strerror(errno));
  }
}

phi2::Progress show_progress() {
  if (isatty(STDERR_FILENO) != 1) return {};
  return [](std::string_view what, double fraction) {
    constexpr char kClearLine[] = "\r\33[K";
    fmt::print(stderr, "{}", kClearLine);
    if (fraction < 1) fmt::print(stderr, "{} {:.0f} %", what, fraction * 100);
  };
}

phi2::Progress stoppable_progress() {
  return [show = show_progress()](std::string_view what, double fraction) {
    if (show) show(what, fraction);
    if (interrupted()) throw Error(ExitCode::kInterrupted, fmt::format("interrupted while {}", what));
  };
}

std::string seconds_text(double seconds) {
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  return seconds >= 1e-3 ? fmt::format("{:.2f} ms", seconds * 1e3) : fmt::format("{:.1f} us", seconds * 1e6);
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return bytes >= 1e3 ? fmt::format("{:.1f} kB", bytes / 1e3) : fmt::format("{:.0f} B", bytes);
}

}  // namespace trisect::runner
