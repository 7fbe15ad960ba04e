// The subcommands of phi2, one file each. Each adds itself to the program; when it was chosen, it runs while
// the command line is parsed and leaves its exit code, or throws.
#pragma once

#include <CLI/CLI.hpp>

#include "kernels/core/error.hpp"

namespace trisect::runner {

void add_generate(CLI::App& program, ExitCode& exit_code);
void add_tokenize(CLI::App& program, ExitCode& exit_code);
void add_evaluate(CLI::App& program, ExitCode& exit_code);
void add_adapt(CLI::App& program, ExitCode& exit_code);
void add_calibrate(CLI::App& program, ExitCode& exit_code);
void add_trace(CLI::App& program, ExitCode& exit_code);
void add_compare(CLI::App& program, ExitCode& exit_code);
void add_worker(CLI::App& program, ExitCode& exit_code);

}  // namespace trisect::runner
