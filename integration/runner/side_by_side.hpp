// The measuring of compare: sides loaded, each in its process, and asked in turn, so that what the machine
// does meanwhile falls on all of them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "integration/runner/side_process.hpp"

namespace trisect::runner {

/// Loads, warms up and runs every prompt `repetitions` times on each side, with a bandwidth probe before each
/// repetition; the side that begins changes from prompt to prompt. `after_repetition` may save what there is.
/// Throws Error(kInterrupted) after Ctrl-C: what is in `comparison` by then was measured.
void measure_generations(const CompareSetup& setup, Comparison& comparison,
                         const std::function<void()>& after_repetition);

/// Evaluates a text on each side, in processes of their own, since evaluation needs more memory than
/// generation and treats every token as LaRoSA does in decoding.
void measure_quality(const CompareSetup& setup, const std::string& name, std::string_view text,
                     Comparison& comparison);

}  // namespace trisect::runner
