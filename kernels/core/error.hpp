// The one exception of the project. Library code throws it (or returns a status) and never prints or exits;
// a program's main() prints what() as one line and leaves with the code.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace trisect {

/// Exit codes of every Trisect program.
enum class ExitCode : int {
  kOk = 0,
  kCheckFailed = 1,   ///< a check failed or a benchmark errored
  kUsage = 2,         ///< an impossible option, or a filter that matches nothing
  kEnvironment = 3,   ///< a missing, broken or foreign file, no such device, no memory, disk full
  kInterrupted = 130  ///< Ctrl-C; what was measured so far is written
};

/// what() is one line that names the file or option, the field, and the remedy.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// The user asked for something impossible.
template <class... Args>
[[noreturn]] void usage_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::kUsage, fmt::format(format, std::forward<Args>(args)...));
}

/// The machine or a file is not what it must be.
template <class... Args>
[[noreturn]] void environment_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::kEnvironment, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace trisect
