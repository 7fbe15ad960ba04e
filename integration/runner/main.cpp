// phi2: generate with phi models, judge them, and compare an optimisation with the baseline.
#include <algorithm>
#include <cstdio>
#include <new>
#include <system_error>

#include "integration/runner/commands.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/environment.hpp"

namespace trisect::runner {
namespace {

std::string version_text() {
  const Build it = build();
  return fmt::format("phi2 (Trisect) {}, revision {}{}, {}, {} ({})", it.version, it.git_hash,
                     it.git_dirty ? " with changes" : "", it.compiler, it.build_type, it.flags);
}

ExitCode run(int argc, char** argv) {
  ExitCode exit_code = ExitCode::kOk;
  CLI::App program(
      "Generates with phi-2 and its relatives on the CPU, with and without LaRoSA's sparse activations.\n"
      "Exit codes: 0 good, 1 a check failed, 2 usage, 3 environment (missing or broken file, no such device, no memory, disk "
      "full), "
      "130 interrupted.",
      "phi2");
  program.set_version_flag("--version", version_text());
  for (const auto add : {add_generate, add_tokenize, add_evaluate, add_calibrate, add_adapt, add_compare, add_trace, add_worker}) {
    add(program, exit_code);
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      program.exit(error);  // prints help or version
      print("");
      return ExitCode::kOk;
    }
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    usage_error("{}; see phi2 --help", message);
  }
  if (program.get_subcommands().empty()) usage_error("a subcommand is missing; see phi2 --help");
  return exit_code;
}

int complain(ExitCode code, const char* what) {
  fmt::print(stderr, "phi2: {}\n", what);
  return static_cast<int>(code);
}

int run_safely(int argc, char** argv) {
  try {
    const ExitCode code = run(argc, argv);
    return code == ExitCode::kInterrupted ? complain(code, "interrupted") : static_cast<int>(code);
  } catch (const Error& error) {
    return complain(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return complain(ExitCode::kEnvironment, "out of memory");
  } catch (const std::system_error& error) {
    return complain(ExitCode::kEnvironment, error.what());
  } catch (const std::exception& error) {
    return complain(ExitCode::kCheckFailed, error.what());
  }
}

}  // namespace
}  // namespace trisect::runner

int main(int argc, char** argv) { return trisect::runner::run_safely(argc, argv); }
