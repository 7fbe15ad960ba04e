// What a group needs of the run that it is part of: a clock, a device, its turn, and somebody who keeps what is
// measured.
#pragma once

#include <chrono>
#include <string_view>
#include <thread>

#include "microbench/harness/accelerator.hpp"

namespace trisect::microbench {

struct Row;

class Session {
 public:
  virtual ~Session() = default;

  /// The clock that everything is timed by; tests bring their own.
  virtual std::chrono::nanoseconds now() const { return std::chrono::steady_clock::now().time_since_epoch(); }

  /// The device that CUDA rows run on.
  virtual Accelerator& accelerator() { return cuda_accelerator(); }

  /// Lets a hot device cool.
  virtual void pause(std::chrono::milliseconds duration) { std::this_thread::sleep_for(duration); }

  /// Whether the repetitions of a row follow one another, instead of being shuffled among those of the group.
  virtual bool in_order() const { return false; }

  /// Called before anything that loads the machine; returns when this run may go on.
  virtual void wait_for_turn(std::string_view /*what*/) {}

  /// Called after every repetition, whatever came of it.
  virtual void repetition_ended(const Row& /*row*/) {}
};

}  // namespace trisect::microbench
