// Two runs that take turns, so that what is compared was measured within the same tenth of a second: a driver
// (scripts/compare_builds.sh) lets one of them work at a time. Before every probe, preparation and repetition
// a run writes a line with its name to STEM.say and then waits for a line on STEM.grant; the first line
// granted, before any was asked for, is the name of the pair.
#pragma once

#include <string>
#include <string_view>

namespace trisect::microbench {

class Turns {
 public:
  /// Opens both files, which are named pipes as a rule, and reads the pair's name. Throws
  /// Error(kEnvironment).
  explicit Turns(const std::string& stem);
  ~Turns();
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  const std::string& pair() const { return pair_; }

  /// Returns early when interrupted. Throws Error(kEnvironment) when the driver went away.
  void wait(std::string_view what);

 private:
  std::string read_line();

  std::string stem_, pair_;
  int say_ = -1, grant_ = -1;
};

}  // namespace trisect::microbench
